"""Optimizer updates on a GPU: one launch over the flat buffer of all parameters, whose size is a multiple of 4."""

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cuda.source import Source
from tinydnn.optim import SGD, Adam

KERNELS = Source("update.cu", "sgd", "adam")


@SGD.implementation("cuda")
def sgd(
    theta: Array, g: Array, v: Array | None = None, *, scalars: Array, momentum: float, nesterov: bool,
    weight_decay: float,
) -> None:  # fmt: skip
    """Update θ and v in place. scalars: (1,), the learning rate."""
    count = theta.size // KERNELS.constant("VECTOR")
    constants = np.float32(momentum), np.float32(weight_decay), np.bool_(nesterov)
    KERNELS.launch_for_each("sgd", count, theta, g, v, scalars, np.int64(count), *constants)


@Adam.implementation("cuda")
def adam(
    theta: Array, g: Array, m: Array, v: Array, *, scalars: Array, beta_1: float, beta_2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Update θ, m and v in place. scalars: (3,), the learning rate, 1 − β₁ᵗ and 1 − β₂ᵗ."""
    count = theta.size // KERNELS.constant("VECTOR")
    constants = (np.float32(value) for value in (beta_1, beta_2, eps, weight_decay))
    KERNELS.launch_for_each("adam", count, theta, g, m, v, scalars, np.int64(count), *constants)
