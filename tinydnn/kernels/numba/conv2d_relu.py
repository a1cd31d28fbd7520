"""Convolution and ReLU in one pass, compiled by Numba."""

from functools import partial

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.numba import direct, winograd
from tinydnn.ops.implementation import Backward


@ops.conv2d_relu.implementation("numba", device="cpu", priority=20, supports=direct.supports)
def conv2d_relu(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """The direct convolution, with ReLU applied while the sums are in registers.

    Faster than the two in sequence, which write the convolution, read it and write it again.
    """
    z = direct.convolve(x, w, b, stride=stride, padding=padding, relu=True)
    return z, partial(_gradients, x, w, b, z, stride, padding)


@ops.conv2d_relu.implementation("numba-winograd", device="cpu", inference_priority=30, supports=winograd.supports)
def conv2d_relu_winograd(
    x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0
) -> tuple[Array, Backward]:
    """Winograd's convolution, with ReLU applied while the outputs are in registers; by default for inference only."""
    z, _ = winograd.convolve(x, w, b, padding, relu=True)
    return z, partial(_gradients, x, w, b, z, stride, padding)


def _gradients(
    x: Array, w: Array, b: Array | None, z: Array, stride: int, padding: int, dz: Array, need_dx: bool = True
) -> direct.Gradients:
    return direct.gradients(x, w, b, stride, padding, direct.relu_backward(z, dz), need_dx)
