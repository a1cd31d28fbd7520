"""Optimizers, which move parameters against their gradients, and learning-rate schedules."""

from tinydnn.optim.adam import Adam, adam_update
from tinydnn.optim.optimizer import Optimizer
from tinydnn.optim.schedules import Schedule, constant, cosine, one_cycle, step
from tinydnn.optim.sgd import SGD, sgd_update

__all__ = [
    "SGD",
    "Adam",
    "Optimizer",
    "Schedule",
    "adam_update",
    "constant",
    "cosine",
    "one_cycle",
    "sgd_update",
    "step",
]
