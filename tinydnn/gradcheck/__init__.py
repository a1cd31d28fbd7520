"""Proof of gradients: the analytic one against the numeric one, and why they differ."""

from tinydnn.gradcheck.check import gradcheck
from tinydnn.gradcheck.compare import compare
from tinydnn.gradcheck.layer import gradcheck_layer
from tinydnn.gradcheck.report import Check, GradientError, Report, Verdict

__all__ = ["Check", "GradientError", "Report", "Verdict", "compare", "gradcheck", "gradcheck_layer"]
