"""Reports of finished runs: self-contained HTML files that open without a network, without scripts."""

from tinydnn.runs.html_report.compare import write_comparison
from tinydnn.runs.html_report.report import write_report

__all__ = ["write_comparison", "write_report"]
