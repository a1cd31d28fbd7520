"""Training runs: options, training, and the folder with the results."""

from tinydnn.runs.evaluation import evaluation_report
from tinydnn.runs.finetune import FinetuneRun
from tinydnn.runs.options import OPTIMIZERS, RANDOM, SCHEDULES, FinetuneOptions, Options
from tinydnn.runs.run import Run

__all__ = ["OPTIMIZERS", "RANDOM", "SCHEDULES", "FinetuneOptions", "FinetuneRun", "Options", "Run", "evaluation_report"]
