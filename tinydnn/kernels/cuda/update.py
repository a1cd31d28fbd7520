"""Steps of optimisers over one flat buffer on a GPU, one launch for all parameters."""

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cuda.source import Source

KERNELS = Source("update.cu", "sgd", "adam")
VECTOR = 4  # numbers that a thread moves; buffers are a multiple of it long


def sgd(
    theta: Array,
    g: Array,
    velocity: Array | None,
    rates: Array,
    *,
    momentum: float,
    weight_decay: float,
    nesterov: bool,
) -> None:
    """Move θ and its velocity, in place. rates: (1,), the learning rate."""
    numbers = np.float32(momentum), np.float32(weight_decay), np.bool_(nesterov)
    fours = theta.size // VECTOR
    KERNELS.launch_for_each("sgd", fours, theta, g, velocity, rates, np.int64(fours), *numbers)


def adam(
    theta: Array,
    g: Array,
    mean: Array,
    square: Array,
    rates: Array,
    *,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> None:
    """Move θ and both running averages, in place. rates: (3,), the learning rate, 1 − β₁ᵗ and 1 − β₂ᵗ."""
    numbers = (np.float32(number) for number in (*betas, eps, weight_decay))
    fours = theta.size // VECTOR
    KERNELS.launch_for_each("adam", fours, theta, g, mean, square, rates, np.int64(fours), *numbers)
