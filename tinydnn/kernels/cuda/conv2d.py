"""Convolution on a GPU: as a matrix product, directly, and by tiles on tensor cores."""

from math import prod

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cuda import tiles
from tinydnn.kernels.cuda.layout import channels_first, channels_last, empty_like, in_one_piece
from tinydnn.kernels.cuda.source import Source, blocks, ctype, int32, of_types
from tinydnn.ops.operation import Arguments, Backward
from tinydnn.ops.windows import output_size

FLOATS = ("float", "double")
COLUMNS = Source("columns.cu", *of_types("to_columns", FLOATS), *of_types("from_columns", FLOATS))
DIRECT = Source(
    "direct_conv.cu",
    *of_types("direct_forward", FLOATS),
    *of_types("direct_dx", FLOATS),
    *of_types("direct_dw", FLOATS),
)
COLUMN_BYTES = 1 << 28  # of the matrix of windows: as many pictures at once as fit


def _by_tiles(call: Arguments) -> bool:
    return (
        call.w.shape[2:] == (3, 3)
        and call.stride == 1
        and call.padding <= 2
        and call.x.dtype == np.float32
        and tiles.countable(call.x, call.w)
    )


@ops.conv2d.implementation("im2col cublas", device="cuda", priority=10)
def im2col(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """Lay out the windows as the rows of a matrix and let cuBLAS multiply: what a kernel of one's own has to beat.

    columns: (N·H'·W', kh·kw·C).  z = columns · w,  dw = columnsᵀ · dz,  dcolumns = dz · wᵀ, some pictures at a time.
    """
    seen = channels_last(x)
    count, height, width, channels = seen.shape
    out_channels, kh, kw = len(w), *w.shape[2:]
    out = tuple(output_size(x.shape[2 + i] + 2 * padding, w.shape[2 + i], stride) for i in (0, 1))
    matrix = in_one_piece(w.transpose(2, 3, 1, 0)).reshape(-1, out_channels)
    sizes = int32(height, width, channels, *out, kh, kw, stride, padding)
    kind = ctype(x.dtype)
    each = max(1, COLUMN_BYTES // (prod(out) * len(matrix) * x.itemsize))
    some = [slice(start, min(start + each, count)) for start in range(0, count, each)]

    def columns_of(part: slice) -> Array:
        columns = empty_like(x, ((part.stop - part.start) * prod(out), len(matrix)))
        given = seen[part], columns, np.int64(columns.size)
        COLUMNS.launch_for_each(f"to_columns<{kind}>", columns.size, *given, *sizes)
        return columns

    z = empty_like(x, (count, *out, out_channels))
    for part in some:
        z[part] = (columns_of(part) @ matrix).reshape(-1, *out, out_channels)
    if b is not None:
        z += b

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        upstream = channels_last(dz)
        dx = empty_like(x, seen.shape) if need_dx else None
        dw = empty_like(x, matrix.shape)
        for part in some:
            rows = upstream[part].reshape(-1, out_channels)
            product = columns_of(part).T @ rows
            if part.start == 0:
                dw[...] = product
            else:
                dw += product
            if dx is not None:
                columns, pixels = rows @ matrix.T, dx[part]
                COLUMNS.launch_for_each(
                    f"from_columns<{kind}>", pixels.size, columns, pixels, np.int64(pixels.size), *sizes
                )
        dw = in_one_piece(dw.reshape(kh, kw, channels, out_channels).transpose(3, 2, 0, 1))
        db = None if b is None else upstream.sum(axis=(0, 1, 2))
        return None if dx is None else channels_first(dx), dw, db

    return channels_first(z), backward


@ops.conv2d.implementation("direct", device="cuda")
def direct(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """As the formula says, a thread for each number of the result: the kernel to read first."""
    seen = channels_last(x)
    count, height, width, channels = seen.shape
    out_channels, kh, kw = len(w), *w.shape[2:]
    out = tuple(output_size(x.shape[2 + i] + 2 * padding, w.shape[2 + i], stride) for i in (0, 1))
    sizes = int32(count, height, width, channels, *out, out_channels, kh, kw, stride, padding)
    kind = ctype(x.dtype)
    z = empty_like(x, (count, *out, out_channels))
    weights = in_one_piece(w.transpose(2, 3, 1, 0))
    bias = None if b is None else in_one_piece(b)
    DIRECT.launch_for_each(f"direct_forward<{kind}>", z.size, seen, weights, bias, z, *sizes)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        upstream = channels_last(dz)
        dw = empty_like(x, (kh, kw, channels, out_channels))
        db = None if b is None else empty_like(x, (out_channels,))
        grid = (kh * kw * channels + (b is not None), blocks(out_channels, 32))
        DIRECT.launch(f"direct_dw<{kind}>", grid, 256, seen, upstream, dw, db, *sizes)
        dw = in_one_piece(dw.transpose(3, 2, 0, 1))
        if not need_dx:
            return None, dw, db
        dx = empty_like(x, seen.shape)
        turned = in_one_piece(w.transpose(2, 3, 0, 1))
        DIRECT.launch_for_each(f"direct_dx<{kind}>", dx.size, upstream, turned, dx, *sizes)
        return channels_first(dx), dw, db

    return channels_first(z), backward


@ops.conv2d.implementation("3xtf32", device="cuda", priority=20, supports=_by_tiles)
def nearly_fp32(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """By tiles on tensor cores; three TF32 products for each product leave an error like float32's own."""
    return _tiled(x, w, b, padding, products=3)


@ops.conv2d.implementation("tf32", device="cuda", priority=30, supports=_by_tiles, precision="tf32")
def tf32(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """By tiles on tensor cores, with one TF32 product for each product, good to three digits."""
    return _tiled(x, w, b, padding, products=1)


def _tiled(x: Array, w: Array, b: Array | None, padding: int, *, products: int) -> tuple[Array, Backward]:
    seen, kernel = channels_last(x), in_one_piece(w)
    bias = None if b is None else in_one_piece(b)
    out = (size + 2 * padding - 2 for size in x.shape[2:])
    z = empty_like(x, (len(x), *out, len(w)))
    tiles.convolve(seen, kernel, bias, z, padding=padding, products=products, turned=False)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        upstream = channels_last(dz)
        how = {"padding": padding, "products": products}
        dw, db = tiles.weight_gradient(seen, upstream, kernel, with_bias=b is not None, **how)
        if not need_dx:
            return None, dw, db
        dx = empty_like(x, seen.shape)
        tiles.convolve(upstream, kernel, None, dx, padding=2 - padding, products=products, turned=True)
        return channels_first(dx), dw, db

    return channels_first(z), backward
