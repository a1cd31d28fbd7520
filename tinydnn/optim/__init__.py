"""Optimizers, which move parameters against their gradients, and learning-rate schedules."""

from tinydnn.optim.adam import Adam
from tinydnn.optim.optimizer import Optimizer
from tinydnn.optim.schedules import Schedule, constant, cosine, one_cycle, step
from tinydnn.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer", "Schedule", "constant", "cosine", "one_cycle", "step"]
