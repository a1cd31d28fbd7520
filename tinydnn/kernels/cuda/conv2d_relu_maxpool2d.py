"""Convolution, ReLU and 2 × 2 max pooling in one kernel on a GPU: 3 × 3 kernels of stride 1.

For backward, one byte is stored for each pooled value, its winner: the argmax of the window (0 to 3), or 4 where ReLU
cut it off. z and the winners take a sixth of the memory of the convolved values, their ReLU, its mask and the argmax.
Memory traffic, which bounds these layers on a GPU, falls as much.
"""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cuda import tiles
from tinydnn.kernels.cuda.layout import channels_first, channels_last, contiguous, empty_like
from tinydnn.kernels.cuda.tiles import Pooled
from tinydnn.ops.implementation import Arguments, Backward, Bias


def _supports(arguments: Arguments) -> bool:
    pooling = arguments.window == 2 and arguments.pool_stride in (None, 2)
    return pooling and tiles.supports_convolution(arguments)


@ops.conv2d_relu_maxpool2d.implementation("fused 3xtf32", device="cuda", priority=20, supports=_supports)
def nearly_fp32(
    x: Array, w: Array, b: Bias, *, stride: int = 1, padding: int = 0, window: int = 2, pool_stride: int | None = None
) -> tuple[Array, Backward]:
    """On tensor cores with three TF32 products for each float32 product: an error close to float32's own."""
    return _fused_block(x, w, b, padding, products=3)


@ops.conv2d_relu_maxpool2d.implementation(
    "fused tf32", device="cuda", priority=30, supports=_supports, precision="tf32"
)
def tf32(
    x: Array, w: Array, b: Bias, *, stride: int = 1, padding: int = 0, window: int = 2, pool_stride: int | None = None
) -> tuple[Array, Backward]:
    """On tensor cores with one TF32 product for each float32 product, accurate to three digits."""
    return _fused_block(x, w, b, padding, products=1)


@ops.conv2d_relu_maxpool2d.implementation(
    "fused fp32", device="cuda", priority=40, supports=lambda call: call.x.shape[1] == 1 and _supports(call)
)
def one_channel(
    x: Array, w: Array, b: Bias, *, stride: int = 1, padding: int = 0, window: int = 2, pool_stride: int | None = None
) -> tuple[Array, Backward]:
    """For one input channel, in float32 on CUDA cores: memory is the bound, and tensor cores would idle.

    dx, which training does not need, comes from tensor cores as in "fused 3xtf32".
    """
    return _fused_block(x, w, b, padding, products=3, one_channel=True)


def _fused_block(
    x: Array, w: Array, b: Array | None, padding: int, *, products: int, one_channel: bool = False
) -> tuple[Array, Backward]:
    x_nhwc, w = channels_last(x), contiguous(w)
    bias = None if b is None else contiguous(b)
    height, width = ((size + 2 * padding - 2) // 2 for size in x.shape[2:])
    shape = (len(x), height, width, len(w))
    z = Pooled(empty_like(x, shape), empty_like(x, shape, np.uint8))
    packed = None if one_channel else tiles.pack(w, products)
    if packed is None:
        tiles.one_channel_forward(x_nhwc, w, bias, z, padding=padding)
    else:
        tiles.convolve(x_nhwc, packed.forward, bias, z, padding=padding, products=products)
    winner = z.winner

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        return tiles.gradients(
            x_nhwc, w, packed, Pooled(channels_last(dz), winner), padding=padding, products=products,
            with_bias=b is not None, need_dx=need_dx,
        )  # fmt: skip

    return channels_first(z.values), backward
