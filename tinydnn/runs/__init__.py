"""Training runs: what was asked for, the training itself, and the folder that holds its results."""

from tinydnn.runs.evaluation import measure
from tinydnn.runs.options import OPTIMIZERS, SCHEDULES, Options
from tinydnn.runs.run import Run

__all__ = ["OPTIMIZERS", "SCHEDULES", "Options", "Run", "measure"]
