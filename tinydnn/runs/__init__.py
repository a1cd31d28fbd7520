"""Training runs: what was asked for, the training itself, and the folder that holds its results."""

from tinydnn.runs.evaluation import measure
from tinydnn.runs.finetune import RANDOM, FinetuneOptions, FinetuneRun
from tinydnn.runs.options import OPTIMIZERS, SCHEDULES, Options
from tinydnn.runs.run import Run

__all__ = ["OPTIMIZERS", "RANDOM", "SCHEDULES", "FinetuneOptions", "FinetuneRun", "Options", "Run", "measure"]
