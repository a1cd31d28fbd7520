"""Metrics of predictions, over slices and over patients, with confidence intervals."""

from tinydnn.metrics.calibration import Calibration, calibration
from tinydnn.metrics.patients import bootstrap_interval, difference_interval, majority_vote, mean_vote
from tinydnn.metrics.report import Report, classification_report, confusion_matrix, wilson_interval
from tinydnn.metrics.roc import auc, auc_interval, roc_curve

__all__ = [
    "Calibration", "Report", "auc", "auc_interval", "bootstrap_interval", "calibration", "classification_report",
    "confusion_matrix", "difference_interval", "majority_vote", "mean_vote", "roc_curve", "wilson_interval",
]  # fmt: skip
