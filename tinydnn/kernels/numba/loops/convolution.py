"""Loops of the direct convolution: over images, bands of rows, and tiles whose sums stay in registers."""

from functools import cache
from typing import Any, NamedTuple

from tinydnn.backend import Array
from tinydnn.kernels.numba.jit import compiled
from tinydnn.kernels.numba.simd.layout import Layout, StridedArray, pack_rows
from tinydnn.kernels.numba.simd.tiles import GRADIENT_GROUP, TILE, conv_tile, gradient_tile


class Output(NamedTuple):
    """Rows, columns and channels of the output in memory, and the rows of a band."""

    rows: int
    columns: int
    channels: int
    band: int


@cache
def forward_kernel(chunk: int, vectors: int, stride: int, relu: bool) -> Any:
    """The convolution of images `start` … `stop − 1`, channels-last."""
    pixels = TILE // (2 * vectors)

    @compiled
    def forward(
        x: StridedArray, start: int, stop: int, workspace: Array, layout: Layout,
        w: Array, kh: int, kw: int, group: int, bias: Array, z: Array, output: Output,
    ) -> None:  # fmt: skip
        group_size = layout.planes * kh * kw * layout.chunk * group  # the weights of a group of output channels
        z_row = output.columns * output.channels
        for n in range(start, stop):
            for first in range(0, output.rows, output.band):
                last = min(first + output.band, output.rows)
                pack_rows(x, n, first * stride, (last - first - 1) * stride + kh, workspace, layout)
                for i in range(first, last, 2):
                    for o in range(0, output.channels, group):
                        for j in range(0, output.columns, pixels):
                            x_at = ((i - first) * layout.row_stride + j * layout.chunk) * stride
                            z_at = (n * output.rows + i) * z_row + j * output.channels + o
                            conv_tile(
                                workspace, x_at, layout, w, o // group * group_size, kh, kw, bias, o,
                                z, z_at, z_row, output.channels, chunk, vectors, stride, relu,
                            )  # fmt: skip

    return forward


@cache
def gradient_kernel(taps: int) -> Any:
    """The gradients dw and db, summed over images `start` … `stop − 1`; `taps` taps of a kernel row at a time."""

    @compiled
    def gradient(
        x: StridedArray, start: int, stop: int, workspace: Array, layout: Layout,
        dz: StridedArray, dz_workspace: Array, dz_layout: Layout, kh: int, kw: int, stride: int, band: int,
        dw: Array, db: Array,
    ) -> None:  # fmt: skip
        _, out_channels, height, width = dz.shape
        group = min(GRADIENT_GROUP, dz_layout.chunk)
        dw_stride = layout.planes * kh * kw * layout.chunk  # from one output channel to the next
        for n in range(start, stop):
            for first in range(0, height, band):
                rows = min(band, height - first)
                pack_rows(x, n, first * stride, (rows - 1) * stride + kh, workspace, layout)
                pack_rows(dz, n, first, rows, dz_workspace, dz_layout)
                for o in range(0, out_channels, group):
                    dz_at = o // dz_layout.chunk * dz_layout.plane_stride + o % dz_layout.chunk
                    for k in range(layout.planes):
                        for u in range(kh):
                            for v in range(0, kw, taps):
                                gradient_tile(
                                    workspace, k * layout.plane_stride + u * layout.row_stride + v * layout.chunk,
                                    stride * layout.row_stride, stride * layout.chunk,
                                    dz_workspace, dz_at, dz_layout.row_stride, rows, width,
                                    dw, o * dw_stride + ((k * kh + u) * kw + v) * layout.chunk, dw_stride, taps,
                                )  # fmt: skip
                for k in range(dz_layout.planes):
                    for i in range(rows):
                        begin = k * dz_layout.plane_stride + i * dz_layout.row_stride
                        for j in range(begin, begin + width * dz_layout.chunk, dz_layout.chunk):
                            for c in range(dz_layout.chunk):
                                db[k * dz_layout.chunk + c] += dz_workspace[j + c]

    return gradient
