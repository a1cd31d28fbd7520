"""Convolution compiled by Numba."""

from functools import partial

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.numba import direct, winograd
from tinydnn.ops.implementation import Backward


@ops.conv2d.implementation("numba", device="cpu", priority=20, supports=direct.supports)
def conv2d(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """Keep the sums of a few pixels and output channels in registers until they are complete.

    Faster than a matrix product: no columns kh·kw times as large as the image are written, and each weight and pixel is
    used many times per load. dx is the convolution of dz with the flipped kernel. z and dx are channels-last in memory.
    """
    return direct.convolve(x, w, b, stride=stride, padding=padding), partial(direct.gradients, x, w, b, stride, padding)


@ops.conv2d.implementation("numba-winograd", device="cpu", inference_priority=30, supports=winograd.supports)
def conv2d_winograd(
    x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0
) -> tuple[Array, Backward]:
    """Winograd's algorithm: 36 products per tile of 4 × 4 outputs instead of 144.

    Faster where a layer has many channels and so spends its time in products. By default for inference only: backward
    takes most of a training step, and dw is summed directly all the same. z and dx are channels-last in memory.
    """
    return winograd.convolve(x, w, b, padding)[0], partial(direct.gradients, x, w, b, stride, padding)
