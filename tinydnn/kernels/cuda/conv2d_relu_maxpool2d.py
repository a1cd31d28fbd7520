"""Convolution, ReLU and 2 × 2 max pooling at once on a GPU: 3 × 3 kernels of stride 1.

Only the pooled numbers and one byte for each are kept: who of the four won (0 to 3), or 4 where ReLU cut it off. In
place of the convolved numbers, their ReLU, its mask and the pooling's places that is a sixth of the memory, and of the
traffic, which is what bounds these layers on a GPU.
"""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cuda import tiles
from tinydnn.kernels.cuda.layout import channels_first, channels_last, empty_like, in_one_piece
from tinydnn.kernels.cuda.tiles import Pooled
from tinydnn.ops.operation import Arguments, Backward


def _covered(call: Arguments) -> bool:
    kernel = call.w.shape[2:] == (3, 3) and call.stride == 1 and call.padding <= 2
    pooling = call.window == 2 and call.pool_stride in (None, 2)
    return kernel and pooling and call.x.dtype == np.float32 and tiles.countable(call.x, call.w)


def _one_channel(call: Arguments) -> bool:
    covered = _covered(call)
    return covered and call.x.shape[1] == 1


@ops.conv2d_relu_maxpool2d.implementation("fused 3xtf32", device="cuda", priority=20, supports=_covered)
def nearly_fp32(
    x: Array,
    w: Array,
    b: Array | None,
    *,
    stride: int = 1,
    padding: int = 0,
    window: int = 2,
    pool_stride: int | None = None,
) -> tuple[Array, Backward]:
    """On tensor cores with three TF32 products for each product, which leaves an error like float32's own."""
    return _fused(x, w, b, padding, products=3)


@ops.conv2d_relu_maxpool2d.implementation("fused tf32", device="cuda", priority=30, supports=_covered, precision="tf32")
def tf32(
    x: Array,
    w: Array,
    b: Array | None,
    *,
    stride: int = 1,
    padding: int = 0,
    window: int = 2,
    pool_stride: int | None = None,
) -> tuple[Array, Backward]:
    """On tensor cores with one TF32 product for each product, good to three digits."""
    return _fused(x, w, b, padding, products=1)


@ops.conv2d_relu_maxpool2d.implementation("fused fp32", device="cuda", priority=40, supports=_one_channel)
def first(
    x: Array,
    w: Array,
    b: Array | None,
    *,
    stride: int = 1,
    padding: int = 0,
    window: int = 2,
    pool_stride: int | None = None,
) -> tuple[Array, Backward]:
    """Of one input channel, in float32 on the ordinary cores: memory bounds it, and tensor cores would idle.

    The gradient of the pixels, which training does not ask for, comes from tensor cores as in "fused 3xtf32".
    """
    return _fused(x, w, b, padding, products=3, by_first=True)


def _fused(
    x: Array, w: Array, b: Array | None, padding: int, *, products: int, by_first: bool = False
) -> tuple[Array, Backward]:
    seen, kernel = channels_last(x), in_one_piece(w)
    bias = None if b is None else in_one_piece(b)
    height, width = ((size + 2 * padding - 2) // 2 for size in x.shape[2:])
    shape = (len(x), height, width, len(w))
    z, winner = empty_like(x, shape), empty_like(x, shape, np.uint8)
    if by_first:
        tiles.first_forward(seen, kernel, bias, Pooled(z, winner), padding=padding)
    else:
        into = Pooled(z, winner)
        tiles.convolve(seen, kernel, bias, into, padding=padding, products=products, turned=False)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        upstream = Pooled(channels_last(dz), winner)
        biased = b is not None
        if by_first:
            dw, db = tiles.first_weight_gradient(seen, upstream, kernel, padding=padding, with_bias=biased)
        else:
            how = {"padding": padding, "products": products}
            dw, db = tiles.weight_gradient(seen, upstream, kernel, with_bias=biased, **how)
        if not need_dx:
            return None, dw, db
        dx = empty_like(x, seen.shape)
        tiles.convolve(upstream, kernel, None, dx, padding=2 - padding, products=products, turned=True)
        return channels_first(dx), dw, db

    return channels_first(z), backward
