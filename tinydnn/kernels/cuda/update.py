"""Optimizer updates on a GPU: one launch to gather the gradients in a flat buffer, and one over all parameters.

The size of the buffer is a multiple of 4.
"""

from collections.abc import Sequence

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cuda.layout import contiguous
from tinydnn.kernels.cuda.source import Source, blocks
from tinydnn.optim import SGD, Adam
from tinydnn.optim.flat import Flat

KERNELS = Source("update.cu", "sgd", "adam", "gather_arrays")


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


@Flat.filler("cuda")
def gather_arrays(arrays: Sequence[Array | None], places: Array, buffer: Array) -> None:
    """Copy float32 arrays into the buffer, `ARRAYS` of them in a launch."""
    at_once, threads = KERNELS.constant("ARRAYS"), KERNELS.constant("THREADS")
    for first in range(0, len(arrays), at_once):
        some = [None if array is None else contiguous(array) for array in arrays[first : first + at_once]]
        largest = max((array.size for array in some if array is not None), default=0)
        if largest:
            grid = min(blocks(largest, threads), KERNELS.constant("COPYING_BLOCKS")), len(some)
            padding = [None] * (at_once - len(some))
            KERNELS.launch("gather_arrays", grid, threads, *some, *padding, places[first : first + at_once], buffer)
