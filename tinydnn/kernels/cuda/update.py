"""Optimizer updates on a GPU: one launch over the flat buffer of all parameters."""

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cuda.source import Source
from tinydnn.optim import adam_update, sgd_update

KERNELS = Source("update.cu", "sgd", "adam")
VECTOR = 4  # numbers that a thread updates; buffers are a multiple of it long


@sgd_update.implementation("cuda")
def sgd(
    theta: Array, g: Array, v: Array | None = None, *, scalars: Array, momentum: float, nesterov: bool,
    weight_decay: float,
) -> None:  # fmt: skip
    """Update θ and v in place. scalars: (1,), the learning rate."""
    fours = theta.size // VECTOR
    constants = np.float32(momentum), np.float32(weight_decay), np.bool_(nesterov)
    KERNELS.launch_for_each("sgd", fours, theta, g, v, scalars, np.int64(fours), *constants)


@adam_update.implementation("cuda")
def adam(
    theta: Array, g: Array, m: Array, v: Array, *, scalars: Array, beta_1: float, beta_2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Update θ, m and v in place. scalars: (3,), the learning rate, 1 − β₁ᵗ and 1 − β₂ᵗ."""
    fours = theta.size // VECTOR
    constants = (np.float32(number) for number in (beta_1, beta_2, eps, weight_decay))
    KERNELS.launch_for_each("adam", fours, theta, g, m, v, scalars, np.int64(fours), *constants)
