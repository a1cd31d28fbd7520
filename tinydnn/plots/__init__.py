"""Pictures of a training run. matplotlib is loaded when the first one is drawn."""

from tinydnn.plots.confusion import confusion_matrix
from tinydnn.plots.progress import training_progress

__all__ = ["confusion_matrix", "training_progress"]
