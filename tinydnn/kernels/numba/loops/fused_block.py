"""Loops of convolution, ReLU and 2 × 2 max pooling in one pass: over images, bands of rows, and tiles."""

from functools import cache
from typing import Any, NamedTuple

from tinydnn.backend import Array
from tinydnn.kernels.numba.jit import compiled
from tinydnn.kernels.numba.simd.argmax_gradients import accumulate_gradients, accumulate_one_channel_gradients
from tinydnn.kernels.numba.simd.layout import Layout, StridedArray, pack_rows, shift_rows, unpack_rows
from tinydnn.kernels.numba.simd.tiles import TILE, conv_relu_maxpool_tile


class Pooled(NamedTuple):
    """Rows, columns and channels of the output in memory, its width and channels without padding, rows of a band."""

    height: int
    columns: int
    channels: int
    width: int
    out_channels: int
    band: int


@cache
def forward_kernel(one_channel: bool, vectors: int) -> Any:
    """Value and argmax of images `start` … `stop − 1`, channels-last."""
    pixels = TILE // (4 * vectors)  # pooled pixels in a tile

    @compiled
    def forward(
        x: StridedArray, start: int, stop: int, workspace: Array, layout: Layout,
        w: Array, kh: int, kw: int, group: int, bias: Array, z: Array, argmax: Array, pooled: Pooled,
    ) -> None:  # fmt: skip
        group_size = layout.planes * kh * kw * layout.chunk * group  # the weights of a group of output channels
        for n in range(start, stop):
            for first in range(0, pooled.height, pooled.band):
                last = min(first + pooled.band, pooled.height)
                pack_rows(x, n, 2 * first, 2 * (last - first) + kh - 1, workspace, layout)
                for i in range(first, last):
                    for o in range(0, pooled.channels, group):
                        for j in range(0, pooled.columns, pixels):
                            x_at = 2 * (i - first) * layout.row_stride + 2 * j * layout.chunk
                            z_at = ((n * pooled.height + i) * pooled.columns + j) * pooled.channels + o
                            conv_relu_maxpool_tile(
                                workspace, x_at, layout, w, o // group * group_size, kh, kw, bias, o,
                                z, argmax, z_at, pooled.channels, one_channel, vectors,
                            )  # fmt: skip

    return forward


@cache
def backward_kernel(kh: int, kw: int, need_dx: bool) -> Any:
    """The gradients dw and db, summed over images `start` … `stop − 1`, and dx of these images.

    For each pooled row, the positions and gradients of all argmax pixels are listed by output channel, then
    accumulated list by list.
    """

    @compiled
    def backward(
        x: StridedArray, start: int, stop: int, workspace: Array, layout: Layout,
        dz: StridedArray, dz_row: Array, dz_layout: Layout, argmax: Array, pooled: Pooled,
        w: Array, dw: Array, db: Array, dx_workspace: Array, dx: Array,
        positions: Array, gradients: Array, counts: Array,
    ) -> None:  # fmt: skip
        plane_size = kh * kw * layout.chunk  # the weights of one output channel for a plane
        for n in range(start, stop):
            if need_dx:
                dx_workspace[:] = 0
            for first in range(0, pooled.height, pooled.band):
                last = min(first + pooled.band, pooled.height)
                rows = 2 * (last - first)
                pack_rows(x, n, 2 * first, rows + kh - 1, workspace, layout)
                for i in range(first, last):
                    pack_rows(dz, n, i, 1, dz_row, dz_layout)
                    argmax_at = (n * pooled.height + i) * pooled.columns * pooled.channels
                    for o in range(pooled.out_channels):
                        dz_at = o // dz_layout.chunk * dz_layout.plane_stride + o % dz_layout.chunk
                        count, total, begin = 0, dz_row[0] * 0, o * pooled.width
                        # Windows of neighbours overlap: even columns first, then odd, so that no sum waits for the
                        # previous one.
                        for parity in range(2):
                            for j in range(parity, pooled.width, 2):
                                index = argmax[argmax_at + j * pooled.channels + o]
                                positions[begin + count] = (2 * (i - first) + (index >> 1)) * layout.row_stride + (
                                    2 * j + (index & 1)
                                ) * layout.chunk
                                gradients[begin + count] = dz_row[dz_at + j * dz_layout.chunk]
                                count += index < 4  # where ReLU is zero, the next entry overwrites this one
                        for k in range(begin, begin + count):
                            total += gradients[k]
                        counts[o] = count
                        db[o] += total
                    for k in range(layout.planes):
                        for o in range(pooled.out_channels):
                            accumulate_gradients(
                                workspace, dx_workspace, k * layout.plane_stride, layout.row_stride,
                                w, dw, (o * layout.planes + k) * plane_size,
                                positions, gradients, o * pooled.width, counts[o], kh, kw, need_dx,
                            )  # fmt: skip
                if need_dx:
                    # Later bands add to the last kh − 1 rows. A row that no window covers may follow the last band.
                    final = rows if last < pooled.height else rows + kh
                    unpack_rows(dx_workspace, layout, 2 * first, final, dx, n)
                    shift_rows(dx_workspace, layout, rows + kh - 1, kh - 1)

    return backward


@cache
def one_channel_backward_kernel(kh: int, kw: int) -> Any:
    """The gradients dw and db, summed over images `start` … `stop − 1` of one channel."""

    @compiled
    def backward(
        x: StridedArray, start: int, stop: int, workspace: Array, layout: Layout,
        dz: StridedArray, dz_row: Array, dz_layout: Layout, argmax: Array, pooled: Pooled, dw: Array, db: Array,
    ) -> None:  # fmt: skip
        for n in range(start, stop):
            for first in range(0, pooled.height, pooled.band):
                last = min(first + pooled.band, pooled.height)
                pack_rows(x, n, 2 * first, 2 * (last - first) + kh - 1, workspace, layout)
                for i in range(first, last):
                    pack_rows(dz, n, i, 1, dz_row, dz_layout)
                    argmax_at = (n * pooled.height + i) * pooled.columns * pooled.channels
                    for k in range(dz_layout.planes):
                        o = k * dz_layout.chunk
                        accumulate_one_channel_gradients(
                            workspace, 2 * (i - first) * layout.row_stride, layout.row_stride,
                            argmax, argmax_at + o, pooled.channels,
                            dz_row, k * dz_layout.plane_stride, dz_layout.chunk, pooled.width,
                            dw, o * kh * kw, db, o, kh, kw,
                        )  # fmt: skip

    return backward
