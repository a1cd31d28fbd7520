"""Convolution on a GPU: as a matrix product, directly, and by tiles on tensor cores."""

from math import prod

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cuda import tiles
from tinydnn.kernels.cuda.layout import channels_first, channels_last, contiguous, empty_like
from tinydnn.kernels.cuda.source import Source, blocks, ctype, for_floats, int32
from tinydnn.ops.implementation import Backward
from tinydnn.ops.windows import output_size

COLUMNS = Source("columns.cu", *for_floats("to_columns", "from_columns"))
DIRECT = Source("direct_conv.cu", *for_floats("direct_forward", "direct_dx", "direct_dw"))
MAX_COLUMN_BYTES = 1 << 28  # of the im2col matrix; larger batches are split


@ops.conv2d.implementation("im2col cublas", device="cuda", priority=10)
def im2col(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """Unfold the windows into the rows of a matrix and multiply with cuBLAS: the baseline for other kernels.

    columns: (N·H'·W', kh·kw·C).  z = columns · w,  dw = columnsᵀ · dz,  dcolumns = dz · wᵀ, for a chunk of images.
    """
    x_nhwc = channels_last(x)
    count, height, width, channels = x_nhwc.shape
    out_channels, kh, kw = len(w), *w.shape[2:]
    out = tuple(output_size(x.shape[2 + i] + 2 * padding, w.shape[2 + i], stride) for i in (0, 1))
    matrix = contiguous(w.transpose(2, 3, 1, 0)).reshape(-1, out_channels)
    sizes = int32(height, width, channels, *out, kh, kw, stride, padding)
    kind = ctype(x.dtype)
    images = max(1, MAX_COLUMN_BYTES // (prod(out) * len(matrix) * x.itemsize))
    chunks = [slice(start, min(start + images, count)) for start in range(0, count, images)]

    def unfold(chunk: slice) -> Array:
        columns = empty_like(x, ((chunk.stop - chunk.start) * prod(out), len(matrix)))
        arguments = x_nhwc[chunk], columns, np.int64(columns.size), *sizes
        COLUMNS.launch_for_each(f"to_columns<{kind}>", columns.size, *arguments)
        return columns

    z = empty_like(x, (count, *out, out_channels))
    for chunk in chunks:
        z[chunk] = (unfold(chunk) @ matrix).reshape(-1, *out, out_channels)
    if b is not None:
        z += b

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        dz_nhwc = channels_last(dz)
        dx = empty_like(x, x_nhwc.shape) if need_dx else None
        dw = empty_like(x, matrix.shape)
        for chunk in chunks:
            rows = dz_nhwc[chunk].reshape(-1, out_channels)
            product = unfold(chunk).T @ rows
            if chunk.start == 0:
                dw[...] = product
            else:
                dw += product
            if dx is not None:
                arguments = rows @ matrix.T, dx[chunk], np.int64(dx[chunk].size), *sizes
                COLUMNS.launch_for_each(f"from_columns<{kind}>", dx[chunk].size, *arguments)
        dw = contiguous(dw.reshape(kh, kw, channels, out_channels).transpose(3, 2, 0, 1))
        db = None if b is None else dz_nhwc.sum(axis=(0, 1, 2))
        return None if dx is None else channels_first(dx), dw, db

    return channels_first(z), backward


@ops.conv2d.implementation("direct", device="cuda")
def direct(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """The textbook formula with one thread for each element of the result: the kernel to read first."""
    x_nhwc = channels_last(x)
    count, height, width, channels = x_nhwc.shape
    out_channels, kh, kw = len(w), *w.shape[2:]
    out = tuple(output_size(x.shape[2 + i] + 2 * padding, w.shape[2 + i], stride) for i in (0, 1))
    sizes = int32(count, height, width, channels, *out, out_channels, kh, kw, stride, padding)
    kind = ctype(x.dtype)
    z = empty_like(x, (count, *out, out_channels))
    weights = contiguous(w.transpose(2, 3, 1, 0))
    bias = None if b is None else contiguous(b)
    DIRECT.launch_for_each(f"direct_forward<{kind}>", z.size, x_nhwc, weights, bias, z, *sizes)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        dz_nhwc = channels_last(dz)
        dw = empty_like(x, (kh, kw, channels, out_channels))
        db = None if b is None else empty_like(x, (out_channels,))
        lanes, groups = DIRECT.constant("LANES"), DIRECT.constant("GROUPS")
        grid = (kh * kw * channels + (b is not None), blocks(out_channels, lanes))
        DIRECT.launch(f"direct_dw<{kind}>", grid, lanes * groups, x_nhwc, dz_nhwc, dw, db, *sizes)
        dw = contiguous(dw.transpose(3, 2, 0, 1))
        if not need_dx:
            return None, dw, db
        dx = empty_like(x, x_nhwc.shape)
        transposed = contiguous(w.transpose(2, 3, 0, 1))
        DIRECT.launch_for_each(f"direct_dx<{kind}>", dx.size, dz_nhwc, transposed, dx, *sizes)
        return channels_first(dx), dw, db

    return channels_first(z), backward


@ops.conv2d.implementation("3xtf32", device="cuda", priority=20, supports=tiles.supports_convolution)
def nearly_fp32(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """On tensor cores with three TF32 products for each float32 product: an error close to float32's own."""
    return _on_tensor_cores(x, w, b, padding, products=3)


@ops.conv2d.implementation("tf32", device="cuda", priority=30, supports=tiles.supports_convolution, precision="tf32")
def tf32(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """On tensor cores with one TF32 product for each float32 product, accurate to three digits."""
    return _on_tensor_cores(x, w, b, padding, products=1)


def _on_tensor_cores(x: Array, w: Array, b: Array | None, padding: int, *, products: int) -> tuple[Array, Backward]:
    x_nhwc, w = channels_last(x), contiguous(w)
    bias = None if b is None else contiguous(b)
    out = (size + 2 * padding - 2 for size in x.shape[2:])
    z = empty_like(x, (len(x), *out, len(w)))
    packed = tiles.pack(w, products)
    tiles.convolve(x_nhwc, packed.forward, bias, z, padding=padding, products=products)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        return tiles.gradients(
            x_nhwc, w, packed, channels_last(dz), padding=padding, products=products, with_bias=b is not None,
            need_dx=need_dx,
        )  # fmt: skip

    return channels_first(z), backward
