"""Metrics of predictions, over slices and over patients, with confidence intervals."""

from tinydnn.metrics.patients import bootstrap_interval, majority_vote, mean_vote
from tinydnn.metrics.report import Report, classification_report, confusion_matrix, wilson_interval

__all__ = [
    "Report", "bootstrap_interval", "classification_report", "confusion_matrix", "majority_vote", "mean_vote",
    "wilson_interval",
]  # fmt: skip
