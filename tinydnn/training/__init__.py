"""Training: the loop and its one step, the loss, evaluation and fine-tuning.

`trainer` is the loop and `step` one step of it; the other modules support these two.
"""

from tinydnn.training.evaluation import Evaluation, evaluate
from tinydnn.training.protocol import Protocol, Step, Validation
from tinydnn.training.step import training_step
from tinydnn.training.trainer import Trainer

__all__ = ["Evaluation", "Protocol", "Step", "Trainer", "Validation", "evaluate", "training_step"]
