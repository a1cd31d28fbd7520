"""Steps of optimisers over one flat buffer on a GPU, one launch for all parameters."""

from typing import NamedTuple

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cuda.source import Source

KERNELS = Source("update.cu", "sgd", "adam")
VECTOR = 4  # numbers that a thread moves; buffers are a multiple of it long


class Sgd(NamedTuple):
    """What stays the same from step to step."""

    momentum: float
    weight_decay: float
    nesterov: bool


class Adam(NamedTuple):
    """What stays the same from step to step."""

    beta_1: float
    beta_2: float
    eps: float
    weight_decay: float


def sgd(theta: Array, g: Array, velocity: Array | None, rates: Array, options: Sgd) -> None:
    """Move θ and its velocity, in place. rates: (1,), the learning rate."""
    fours = theta.size // VECTOR
    numbers = np.float32(options.momentum), np.float32(options.weight_decay), np.bool_(options.nesterov)
    KERNELS.launch_for_each("sgd", fours, theta, g, velocity, rates, np.int64(fours), *numbers)


def adam(theta: Array, g: Array, mean: Array, square: Array, rates: Array, options: Adam) -> None:
    """Move θ and both running averages, in place. rates: (3,), the learning rate, 1 − β₁ᵗ and 1 − β₂ᵗ."""
    fours = theta.size // VECTOR
    numbers = (np.float32(number) for number in options)
    KERNELS.launch_for_each("adam", fours, theta, g, mean, square, rates, np.int64(fours), *numbers)
