"""Plots of training runs, augmentation and kernels, as PNG files. matplotlib is imported by the first plot."""

from tinydnn.plots.augmentation import augmentation
from tinydnn.plots.confusion import confusion_matrix
from tinydnn.plots.folds import folds
from tinydnn.plots.progress import training_progress
from tinydnn.plots.roofline import Point, roofline, times_by_size

__all__ = ["Point", "augmentation", "confusion_matrix", "folds", "roofline", "times_by_size", "training_progress"]
