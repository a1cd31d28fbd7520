"""Convolution, ReLU and 2 × 2 max pooling in one pass, compiled by Numba, with threads over the images."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty, zeros
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.kernels.numba import winograd
from tinydnn.kernels.numba.direct import Gradients
from tinydnn.ops.implementation import Arguments, Backward, Bias

if TYPE_CHECKING:
    from tinydnn.kernels.numba.loops.fused_block import Pooled
    from tinydnn.kernels.numba.simd.layout import Layout

BAND_BYTES = 1 << 18  # a band of rows and its gradient stay in a core's second-level cache


def _supports(arguments: Arguments) -> bool:
    return arguments.stride == 1 and arguments.window == 2 and arguments.pool_stride in (None, 2)


@ops.conv2d_relu_maxpool2d.implementation("numba", device="cpu", priority=20, supports=_supports)
def conv2d_relu_maxpool2d(
    x: Array, w: Array, b: Bias, *, stride: int = 1, padding: int = 0, window: int = 2, pool_stride: int | None = None
) -> tuple[Array, Backward]:
    """Keep all sums in registers from the first product to the pooled value; backward, visit the argmax pixels only.

    Faster than matrix products: no columns and no convolved rows are ever written. After pooling at most one gradient
    in four is not zero, and dw and dx are accumulated from those alone. z and dx are channels-last in memory.
    """
    from tinydnn.kernels.numba.loops.fused_block import forward_kernel
    from tinydnn.kernels.numba.simd.layout import lanes, pack_kernel, padded_bias, round_up, strided
    from tinydnn.kernels.numba.simd.tiles import TILE

    (count, channels, *size), (out_channels, _, kh, kw), lane = x.shape, w.shape, lanes(x.dtype)
    height, width = (size[0] + 2 * padding - kh + 1) // 2, (size[1] + 2 * padding - kw + 1) // 2
    padded_out = round_up(out_channels, lane)
    vectors = 1 if padded_out // lane % 2 else 2
    columns = round_up(width, TILE // (4 * vectors))
    z = empty((count, height, columns, padded_out), x.dtype)
    argmax = empty(z.shape, np.uint8)
    chunk = 1 if channels == 1 else lane
    layout, pooled = _layout(x, w, argmax, width, padding, chunk)
    packed, bias = pack_kernel(w, chunk, vectors * lane), padded_bias(b, padded_out, x.dtype)
    forward = forward_kernel(channels == 1, vectors)

    def forward_part(part: slice) -> None:
        source = strided(x), part.start, part.stop, zeros((layout.size,), x.dtype), layout
        forward(*source, packed, kh, kw, vectors * lane, bias, z.reshape(-1), argmax.reshape(-1), pooled)

    over_batch(count, forward_part)
    return z.transpose(0, 3, 1, 2)[:, :out_channels, :, :width], partial(_gradients, x, w, b, argmax, padding)


@ops.conv2d_relu_maxpool2d.implementation(
    "numba-winograd", device="cpu", priority=30, supports=lambda call: _supports(call) and winograd.pays(call.w)
)
def conv2d_relu_maxpool2d_winograd(
    x: Array, w: Array, b: Bias, *, stride: int = 1, padding: int = 0, window: int = 2, pool_stride: int | None = None
) -> tuple[Array, Backward]:
    """Winograd's convolution, with ReLU and pooling applied while the outputs are in registers.

    Faster where a layer has many channels: 36 products instead of 144. Backward visits the argmax pixels only.
    """
    z, argmax = winograd.convolve(x, w, b, padding, pool=True)
    return z, partial(_gradients, x, w, b, argmax, padding)


def _gradients(
    x: Array, w: Array, b: Array | None, argmax: Array, padding: int, dz: Array, need_dx: bool = True
) -> Gradients:
    """(dx, dw, db) from the argmax (N, H', columns, channels) of each window: 0 to 3, or 4 where ReLU is zero.

    Columns and channels of `argmax` beyond those of dz are padding.
    """
    from tinydnn.kernels.numba.loops.fused_block import backward_kernel, one_channel_backward_kernel
    from tinydnn.kernels.numba.simd.layout import Layout, from_taps, lanes, strided, to_taps

    (count, channels, *size), (out_channels, _, kh, kw), lane = x.shape, w.shape, lanes(x.dtype)
    padded_out, width = argmax.shape[3], dz.shape[3]
    dx = empty((count, *size, channels), x.dtype) if need_dx else None
    dz_layout = Layout(lane, 0, width * lane, padded_out // lane, 0)
    by_taps = to_taps(w, lane)

    def backward_part(part: slice) -> tuple[Array, Array]:
        def inputs(layout: "Layout", pooled: "Pooled") -> tuple[object, ...]:
            source = strided(x), part.start, part.stop, zeros((layout.size,), x.dtype), layout
            return *source, strided(dz), zeros((width * padded_out,), x.dtype), dz_layout, argmax.reshape(-1), pooled

        if channels == 1:
            # One input channel fills no vector, but the output channels do. The general kernel below computes dx.
            dw_one_channel = np.zeros((padded_out // lane, kh, kw, lane), x.dtype)
            db_one_channel = np.zeros(padded_out, x.dtype)
            args = inputs(*_layout(x, w, argmax, width, padding, 1))
            one_channel_backward_kernel(kh, kw)(*args, dw_one_channel.reshape(-1), db_one_channel)
            if dx is None:
                return dw_one_channel, db_one_channel
        layout, pooled = _layout(x, w, argmax, width, padding, lane)
        dw, db = zeros(by_taps.shape, x.dtype), np.zeros(padded_out, x.dtype)
        dx_workspace, positions = zeros((layout.size,), x.dtype), np.empty(out_channels * width, np.int64)
        gradients, counts = np.empty(positions.shape, x.dtype), np.empty(out_channels, np.int64)
        backward_kernel(kh, kw, need_dx)(
            *inputs(layout, pooled), by_taps.reshape(-1), dw.reshape(-1), db,
            dx_workspace, np.empty((1, 1, 1, 1), x.dtype) if dx is None else dx, positions, gradients, counts,
        )  # fmt: skip
        return (dw_one_channel, db_one_channel) if channels == 1 else (dw, db)

    dws, dbs = zip(*over_batch(count, backward_part), strict=True)
    dw, db = np.sum(dws, axis=0), np.sum(dbs, axis=0)[:out_channels]
    if channels == 1:
        dw = np.ascontiguousarray(dw.transpose(0, 3, 1, 2).reshape(-1, 1, kh, kw)[:out_channels])
    else:
        dw = from_taps(dw, channels)
    return None if dx is None else dx.transpose(0, 3, 1, 2), dw, None if b is None else db


def _layout(x: Array, w: Array, argmax: Array, width: int, padding: int, chunk: int) -> "tuple[Layout, Pooled]":
    """The layout of a band of x in the workspace, `chunk` channels to a pixel, and the sizes of the pooled output."""
    from tinydnn.kernels.numba.loops.fused_block import Pooled
    from tinydnn.kernels.numba.simd.layout import Layout, round_up

    (_, channels, *size), (out_channels, _, kh, kw), (_, height, columns, padded_out) = x.shape, w.shape, argmax.shape
    row = max(size[1] + 2 * padding, 2 * columns + kw - 1)
    planes = round_up(channels, chunk) // chunk
    fits = BAND_BYTES // (planes * row * chunk * x.itemsize)
    band = min(height, max(1, (fits - kh) // 2))
    layout = Layout(chunk, row * chunk, (2 * band + kh) * row * chunk, planes, padding)
    return layout, Pooled(height, columns, padded_out, width, out_channels, band)
