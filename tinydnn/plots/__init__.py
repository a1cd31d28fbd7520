"""Plots of training runs, augmentation, explanations and kernels. matplotlib is imported by the first plot.

Every function returns a `matplotlib.figure.Figure`, which a notebook shows and `save` writes. None uses pyplot.
"""

from tinydnn.plots.augmentation import augmentation
from tinydnn.plots.canvas import check_suffix, save
from tinydnn.plots.confusion import confusion_matrix
from tinydnn.plots.explanation import explanation
from tinydnn.plots.explanation_curves import faithfulness, sanity
from tinydnn.plots.explanation_scores import explanation_scores
from tinydnn.plots.feature_maps import feature_maps
from tinydnn.plots.filters import filters
from tinydnn.plots.folds import folds
from tinydnn.plots.maximised import maximised
from tinydnn.plots.neighbours import Neighbour, neighbours
from tinydnn.plots.network import network
from tinydnn.plots.progress import training_progress
from tinydnn.plots.roofline import Point, roofline, times_by_size

__all__ = [
    "Neighbour",
    "Point",
    "augmentation",
    "check_suffix",
    "confusion_matrix",
    "explanation",
    "explanation_scores",
    "faithfulness",
    "feature_maps",
    "filters",
    "folds",
    "maximised",
    "neighbours",
    "network",
    "roofline",
    "sanity",
    "save",
    "times_by_size",
    "training_progress",
]
