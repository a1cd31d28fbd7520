"""Plots of training runs, augmentation and kernels. matplotlib is imported by the first plot.

Every function returns a `matplotlib.figure.Figure`, which a notebook shows and `save` writes. None uses pyplot.
"""

from tinydnn.plots.augmentation import augmentation
from tinydnn.plots.canvas import check_suffix, save
from tinydnn.plots.confusion import confusion_matrix
from tinydnn.plots.explanation_curves import faithfulness, sanity
from tinydnn.plots.explanations import explanations
from tinydnn.plots.folds import folds
from tinydnn.plots.network import network
from tinydnn.plots.progress import training_progress
from tinydnn.plots.roofline import Point, roofline, times_by_size

__all__ = [
    "Point",
    "augmentation",
    "check_suffix",
    "confusion_matrix",
    "explanations",
    "faithfulness",
    "folds",
    "network",
    "roofline",
    "sanity",
    "save",
    "times_by_size",
    "training_progress",
]
