"""The direct convolution compiled: loops over pictures, bands of rows and tiles, around what stays in registers."""

from functools import cache
from typing import Any, NamedTuple

from tinydnn.backend import Array
from tinydnn.kernels.numba.jit import compiled
from tinydnn.kernels.numba.simd.layout import Pictures, Planes, lay_out
from tinydnn.kernels.numba.simd.tiles import GRADIENT_GROUP, TILE, gradient_tile, plain_tile


class Convolved(NamedTuple):
    """What comes out: rows, columns and channels as they lie in memory, and rows in a band."""

    rows: int
    columns: int
    channels: int
    band: int


@cache
def forward_kernel(chunk: int, vectors: int, stride: int, relu: bool) -> Any:
    """The convolution of pictures `start` … `stop − 1`."""
    pixels = TILE // (2 * vectors)

    @compiled
    def forward(
        x: Pictures, start: int, stop: int, store: Array, layout: Planes,
        w: Array, kh: int, kw: int, group: int, bias: Array, z: Array, out: Convolved,
    ) -> None:  # fmt: skip
        size = layout.number * kh * kw * layout.chunk * group  # the weights of a group of output channels
        z_row = out.columns * out.channels
        for n in range(start, stop):
            for first in range(0, out.rows, out.band):
                last = min(first + out.band, out.rows)
                lay_out(x, n, first * stride, (last - first - 1) * stride + kh, store, layout)
                for i in range(first, last, 2):
                    for o in range(0, out.channels, group):
                        for j in range(0, out.columns, pixels):
                            x_at = ((i - first) * layout.row + j * layout.chunk) * stride
                            z_at = (n * out.rows + i) * z_row + j * out.channels + o
                            plain_tile(
                                store, x_at, layout, w, o // group * size, kh, kw, bias, o,
                                z, z_at, z_row, out.channels, chunk, vectors, stride, relu,
                            )  # fmt: skip

    return forward


@cache
def gradient_kernel(taps: int) -> Any:
    """The gradients of kernel and bias from pictures `start` … `stop − 1`; `taps` of a kernel row at a time."""

    @compiled
    def gradient(
        x: Pictures, start: int, stop: int, store: Array, layout: Planes,
        dz: Pictures, dz_store: Array, dz_layout: Planes, kh: int, kw: int, stride: int, band: int,
        dw: Array, db: Array,
    ) -> None:  # fmt: skip
        _, out_channels, height, width = dz.shape
        group = min(GRADIENT_GROUP, dz_layout.chunk)
        step = layout.number * kh * kw * layout.chunk  # from one output channel to the next
        for n in range(start, stop):
            for first in range(0, height, band):
                rows = min(band, height - first)
                lay_out(x, n, first * stride, (rows - 1) * stride + kh, store, layout)
                lay_out(dz, n, first, rows, dz_store, dz_layout)
                for o in range(0, out_channels, group):
                    dz_at = o // dz_layout.chunk * dz_layout.plane + o % dz_layout.chunk
                    for k in range(layout.number):
                        for u in range(kh):
                            for v in range(0, kw, taps):
                                gradient_tile(
                                    store, k * layout.plane + u * layout.row + v * layout.chunk, stride * layout.row,
                                    stride * layout.chunk,
                                    dz_store, dz_at, dz_layout.row, rows, width,
                                    dw, o * step + ((k * kh + u) * kw + v) * layout.chunk, step, taps,
                                )  # fmt: skip
                for k in range(dz_layout.number):
                    for i in range(rows):
                        begin = k * dz_layout.plane + i * dz_layout.row
                        for j in range(begin, begin + width * dz_layout.chunk, dz_layout.chunk):
                            for c in range(dz_layout.chunk):
                                db[k * dz_layout.chunk + c] += dz_store[j + c]

    return gradient
