"""ReLU and dropout on a GPU: one kernel launch in each direction."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cuda.layout import contiguous, empty_like
from tinydnn.kernels.cuda.source import Source, ctype, for_floats
from tinydnn.ops.implementation import Backward

KERNELS = Source("elementwise.cu", *for_floats("relu_forward", "relu_backward", "dropout"))


@ops.relu.implementation("cuda", device="cuda", priority=10)
def relu(x: Array) -> tuple[Array, Backward]:
    """Faster than the reference, which stores and reads a mask besides."""
    x = contiguous(x)
    z = empty_like(x, x.shape)
    size, kind = np.int64(x.size), ctype(x.dtype)
    KERNELS.launch_for_each(f"relu_forward<{kind}>", x.size, x, z, size)

    def backward(dz: Array) -> Array:
        dx = empty_like(x, x.shape)
        KERNELS.launch_for_each(f"relu_backward<{kind}>", x.size, z, contiguous(dz), dx, size)
        return dx

    return z, backward


@ops.dropout.implementation("cuda", device="cuda", priority=10)
def dropout(x: Array, keep: Array, *, rate: float) -> tuple[Array, Backward]:
    """Faster than the reference, which stores the scaled mask."""
    keep, kernel = contiguous(keep), f"dropout<{ctype(x.dtype)}>"
    size, scale = np.int64(x.size), x.dtype.type(1 / (1 - rate))

    def scaled(values: Array) -> Array:
        z = empty_like(values, values.shape)
        KERNELS.launch_for_each(kernel, values.size, contiguous(values), keep, z, size, scale)
        return z

    return scaled(x), scaled
