"""Results by class: the confusion matrix, precision and recall."""

from typing import Any

from tinydnn.runs.html_report.results import Results
from tinydnn.runs.html_report.section import Section


def classes(results: Results) -> Section:
    """The confusion matrix with shares of each row, and the metrics of each class."""
    matrix = results.metrics["confusion_matrix"]
    return Section(
        "classes",
        "Results by class",
        {
            "names": results.class_names,
            "rows": [_row(row) for row in matrix],
            "per_class": results.metrics["per_class"],
            "macro": results.metrics["macro"],
        },
    )


def _row(counts: list[int]) -> list[dict[str, Any]]:
    """Count, share of the row, and the strength of its shade: the square root, so that a few errors remain visible."""
    total = sum(counts)
    shares = [count / total if total else 0.0 for count in counts]
    return [
        {"count": count, "share": share, "shade": round(80 * share**0.5)}
        for count, share in zip(counts, shares, strict=True)
    ]
