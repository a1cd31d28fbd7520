"""3 × 3 convolution by Winograd's minimal filtering, compiled by Numba.

Its values are rounded more often than those of the direct form, by some 1e-6 of the largest. So who wins in a pooling,
and what ReLU cuts off, may differ where it is a close thing, and a gradient then goes another way. The block with
pooling runs by itself all the same: the losses of a training agree to some 1e-5 with those of the direct form, and a
step of the paper's network takes a fifth less. Of the others, whose backward passes take most of the time and gain
nothing, only predictions are made by themselves.
"""

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.numba.conv2d import Gradients, gradients, where_positive
from tinydnn.kernels.numba.conv2d_relu_maxpool2d import gradients_of_winners
from tinydnn.kernels.numba.winograd import AS_IT_IS, POOL, RELU, convolve, pays
from tinydnn.ops.operation import Arguments, Backward

NAME = "numba-winograd"


def _covered(call: Arguments) -> bool:
    return call.stride == 1 and call.padding < 3 and pays(call.w)


def _covered_with_pooling(call: Arguments) -> bool:
    return call.stride == 1 and call.window == 2 and call.pool_stride in (None, 2) and pays(call.w)


@ops.conv2d.implementation(NAME, device="cpu", inference_priority=30, supports=_covered)
def conv2d(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """Take 36 products for 16 pixels in place of 144, a tile of 4 × 4 pixels at a time.

    Faster because a deep layer is nearly all products. dw is summed directly. z and dx lie in memory as (N, H, W, C).
    """

    def backward(dz: Array, need_dx: bool = True) -> Gradients:
        return gradients(x, w, b, dz, need_dx, stride, padding)

    return convolve(x, w, b, padding, AS_IT_IS)[0], backward


@ops.conv2d_relu.implementation(NAME, device="cpu", inference_priority=30, supports=_covered)
def conv2d_relu(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """The same, cut off below zero on the way out of the registers. z says what was cut off."""
    z, _ = convolve(x, w, b, padding, RELU)

    def backward(dz: Array, need_dx: bool = True) -> Gradients:
        return gradients(x, w, b, where_positive(z, dz), need_dx, stride, padding)

    return z, backward


@ops.conv2d_relu_maxpool2d.implementation(NAME, device="cpu", priority=30, supports=_covered_with_pooling)
def conv2d_relu_maxpool2d(
    x: Array,
    w: Array,
    b: Array | None,
    *,
    stride: int = 1,
    padding: int = 0,
    window: int = 2,
    pool_stride: int | None = None,
) -> tuple[Array, Backward]:
    """The same, pooled on the way out of the registers; the backward pass follows the winners."""
    z, winner = convolve(x, w, b, padding, POOL)

    def backward(dz: Array, need_dx: bool = True) -> Gradients:
        dx, dw, db = gradients_of_winners(x, w, dz, winner, padding, need_dx)
        return dx, dw, None if b is None else db

    return z, backward
