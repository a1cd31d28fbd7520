"""Pictures of a training run, and of kernels. matplotlib is loaded when the first one is drawn."""

from tinydnn.plots.confusion import confusion_matrix
from tinydnn.plots.progress import training_progress
from tinydnn.plots.roofline import Point, roofline, times_by_size

__all__ = ["Point", "confusion_matrix", "roofline", "times_by_size", "training_progress"]
