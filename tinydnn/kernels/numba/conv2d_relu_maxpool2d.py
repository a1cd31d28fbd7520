"""Convolution, ReLU and 2 × 2 max pooling at once, compiled by Numba, with threads over the pictures."""

from typing import TYPE_CHECKING

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty, zeros
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.operation import Arguments, Backward

if TYPE_CHECKING:
    from tinydnn.kernels.numba.loops import fused_block as block
    from tinydnn.kernels.numba.simd.layout import Planes

BAND_BYTES = 1 << 18  # a band of rows and its gradient stay in a core's second-level cache


def _covered(call: Arguments) -> bool:
    return call.stride == 1 and call.window == 2 and call.pool_stride in (None, 2)


@ops.conv2d_relu_maxpool2d.implementation("numba", device="cpu", priority=20, supports=_covered)
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
    """Keep all sums in registers from the first product to the pooled value, and go back along the winners alone.

    Faster than the form in NumPy: no columns are laid out to be multiplied, and no convolved row is ever written.
    Backward, at most one gradient in four is not zero after pooling, so dw and dx are summed winner by winner. z and dx
    lie in memory as (N, H, W, C).
    """
    from tinydnn.kernels.numba.loops import fused_block as block
    from tinydnn.kernels.numba.simd.layout import kernel_for_sums, lanes, pictures, round_up
    from tinydnn.kernels.numba.simd.tiles import TILE

    (count, channels, *size), (out_channels, _, kh, kw), lane = x.shape, w.shape, lanes(x.dtype)
    height, width = (size[0] + 2 * padding - kh + 1) // 2, (size[1] + 2 * padding - kw + 1) // 2
    all_out = round_up(out_channels, lane)
    vectors = 1 if all_out // lane % 2 else 2
    columns = round_up(width, TILE // (4 * vectors))
    z = empty((count, height, columns, all_out), x.dtype)
    winner = empty(z.shape, np.uint8)
    bias = np.zeros(all_out, x.dtype)
    if b is not None:
        bias[:out_channels] = b
    chunk = 1 if channels == 1 else lane
    planes, pooled, room = _layout(x, w, winner, width, padding, chunk)
    packed = kernel_for_sums(w, chunk, vectors * lane)
    forward = block.forward_kernel(channels == 1, vectors)

    def forward_part(part: slice) -> None:
        store, seen, group = zeros((room,), x.dtype), pictures(x), vectors * lane
        out = z.reshape(-1), winner.reshape(-1), pooled
        forward(seen, part.start, part.stop, store, planes, packed, kh, kw, group, bias, *out)

    over_batch(count, forward_part)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        dx, dw, db = gradients_of_winners(x, w, dz, winner, padding, need_dx)
        return dx, dw, None if b is None else db

    return z.transpose(0, 3, 1, 2)[:, :out_channels, :, :width], backward


def gradients_of_winners(
    x: Array, w: Array, dz: Array, winner: Array, padding: int, need_dx: bool
) -> tuple[Array | None, Array, Array]:
    """(dx, dw, db) of the block, where `winner` (N, H', columns, channels) says who of the four won each pooled pixel.

    Columns and channels of `winner` beyond those of dz are not looked at.
    """
    from tinydnn.kernels.numba.loops import fused_block as block
    from tinydnn.kernels.numba.simd.layout import Planes, kernel_by_taps, kernel_from_taps, lanes, pictures

    (count, channels, *size), (out_channels, _, kh, kw), lane = x.shape, w.shape, lanes(x.dtype)
    all_out, width = winner.shape[3], dz.shape[3]
    dx = empty((count, *size, channels), x.dtype) if need_dx else None
    dz_planes = Planes(lane, 0, width * lane, all_out // lane, 0)
    by_taps = kernel_by_taps(w, lane)

    def part(part: slice) -> tuple[Array, Array]:
        def given(planes: Planes, pooled: "block.Pooled", room: int) -> tuple[object, ...]:
            dz_row = zeros((width * all_out,), x.dtype)
            seen = pictures(x), part.start, part.stop, zeros((room,), x.dtype), planes
            return *seen, pictures(dz), dz_row, dz_planes, winner.reshape(-1), pooled

        of_one, db = np.zeros((all_out // lane, kh, kw, lane), x.dtype), np.zeros(all_out, x.dtype)
        if channels == 1:
            layout = _layout(x, w, winner, width, padding, 1)
            block.first_backward_kernel(kh, kw)(*given(*layout), of_one.reshape(-1), db)
            if dx is None:
                return of_one, db
        planes, pooled, room = _layout(x, w, winner, width, padding, lane)
        dw, sums = zeros(by_taps.shape, x.dtype), np.zeros(all_out, x.dtype)
        dstore, places = zeros((room,), x.dtype), np.empty(out_channels * width, np.int64)
        gradients, counts = np.empty(places.shape, x.dtype), np.empty(out_channels, np.int64)
        block.backward_kernel(kh, kw, need_dx)(
            *given(planes, pooled, room), by_taps.reshape(-1), dw.reshape(-1), sums,
            dstore, np.empty((1, 1, 1, 1), x.dtype) if dx is None else dx, places, gradients, counts,
        )  # fmt: skip
        return (of_one, db) if channels == 1 else (dw, sums)

    dws, dbs = zip(*over_batch(count, part), strict=True)
    dw, db = np.sum(dws, axis=0), np.sum(dbs, axis=0)[:out_channels]
    if channels == 1:
        dw = np.ascontiguousarray(dw.transpose(0, 3, 1, 2).reshape(-1, 1, kh, kw)[:out_channels])
    else:
        dw = kernel_from_taps(dw, channels)
    return None if dx is None else dx.transpose(0, 3, 1, 2), dw, db


def _layout(
    x: Array, w: Array, winner: Array, width: int, padding: int, chunk: int
) -> "tuple[Planes, block.Pooled, int]":
    """How x lies in the workspace with so many channels to a pixel, what comes out, and the workspace's size."""
    from tinydnn.kernels.numba.loops import fused_block as block
    from tinydnn.kernels.numba.simd.layout import Planes, round_up

    (_, channels, *size), (out_channels, _, kh, kw), (_, height, columns, all_out) = x.shape, w.shape, winner.shape
    row = max(size[1] + 2 * padding, 2 * columns + kw - 1)
    planes = round_up(channels, chunk) // chunk
    fits = BAND_BYTES // (planes * row * chunk * x.itemsize)
    band = min(height, max(1, (fits - kh) // 2))
    plane = (2 * band + kh) * row * chunk
    pooled = block.Pooled(height, columns, all_out, width, out_channels, band)
    return Planes(chunk, row * chunk, plane, planes, padding), pooled, planes * plane
