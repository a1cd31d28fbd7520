"""Sums over the pixels of each channel, and passes that write each pixel anew, with threads over the pictures.

Arrays are (N, C, H, W), and what is made lies in memory as (N, H, W, C). Pixels are taken in blocks that stay in a
core's first cache, and the sums of blocks go into sums in float64, in a fixed order.
"""

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.kernels.numba.jit import compiled
from tinydnn.kernels.numba.simd.layout import Pictures, number_at
from tinydnn.kernels.numba.simd.pixel_blocks import block_backward, block_forward, block_moments, block_sums

BLOCK = 64  # pixels


def moments(x: Array) -> tuple[Array, Array]:
    """Mean and variance of each channel, in float64."""
    (seen,), channels = _in_rows(x), x.shape[1]

    def of_part(part: slice) -> tuple[int, Array, Array]:
        mean, squares = np.zeros((2, channels))
        block, store = np.empty((3, channels), x.dtype), _store(x)
        pixels = _add_moments(seen, part.start, part.stop, store, block, mean, squares)
        return pixels, mean, squares

    (pixels, mean, squares), *others = over_batch(len(x), of_part)
    for more, its_mean, its_squares in others:
        apart, both = its_mean - mean, pixels + more
        mean, squares = mean + apart * (more / both), squares + its_squares + apart**2 * (pixels * more / both)
        pixels = both
    return mean, squares / pixels


def sums(x: Array, dz: Array, mean: Array) -> tuple[Array, Array]:
    """Σ dz and Σ dz · (x − mean) over the pixels of each channel, in float64."""
    seen, upstream = _in_rows(x, dz)
    centre = np.ascontiguousarray(mean)

    def of_part(part: slice) -> Array:
        block, total = np.empty((2, len(mean)), x.dtype), np.zeros((2, len(mean)))
        _add_sums(seen, upstream, part.start, part.stop, _store(x), _store(x), centre, block, total)
        return total

    of_dz, of_products = np.sum(over_batch(len(x), of_part), axis=0)
    return of_dz, of_products


def forward(x: Array, mean: Array, slope: Array, shift: Array) -> Array:
    """(x − mean) · slope + shift, channel by channel."""
    (seen,), constants = _in_rows(x), np.array((mean, slope, shift), x.dtype)
    z = empty((len(x), *x.shape[2:], x.shape[1]), x.dtype)
    flat = z.reshape(-1)
    over_batch(len(x), lambda part: _write_forward(seen, part.start, part.stop, _store(x), constants, flat))
    return z.transpose(0, 3, 1, 2)


def backward(x: Array, dz: Array, mean: Array, slope: Array, shift: Array, gain: Array) -> Array:
    """(dz − (x − mean) · slope − shift) · gain, channel by channel."""
    (seen, upstream), constants = _in_rows(x, dz), np.array((mean, slope, shift, gain), x.dtype)
    dx = empty((len(x), *x.shape[2:], x.shape[1]), x.dtype)
    flat = dx.reshape(-1)

    def of_part(part: slice) -> None:
        _write_backward(seen, upstream, part.start, part.stop, _store(x), _store(x), constants, flat)

    over_batch(len(x), of_part)
    return dx.transpose(0, 3, 1, 2)


def _store(x: Array) -> Array:
    """Room for a block of pixels."""
    return np.empty(BLOCK * x.shape[1], x.dtype)


def _in_rows(*arrays: Array) -> list[Pictures]:
    """The arrays as kernels read them, with a picture's rows as a single one where no array has gaps between them."""
    count, channels, height, width = arrays[0].shape
    if all(x.strides[2] == width * x.strides[3] for x in arrays):
        height, width = 1, height * width
    return [Pictures(x.__array_interface__["data"][0], x.strides, (count, channels, height, width)) for x in arrays]


@compiled
def _side_by_side(x: Pictures, n: int, i: int, j: int, count: int, store: Array) -> tuple[np.intp, int]:
    """Address of a block from column j on, and step from pixel to pixel: in x, or a copy where channels lie apart."""
    (_, channels, _, _), (by_picture, by_channel, by_row, by_column) = x.shape, x.strides
    at = x.address + n * by_picture + i * by_row + j * by_column
    if channels == 1 or by_channel == store.itemsize:
        return np.intp(at), by_column
    for c in range(channels):
        for k in range(count):  # an index without a sign is not looked at for one that counts from the end
            store[np.uintp(k * channels + c)] = number_at(store, at + c * by_channel + k * by_column)
    return np.intp(store.ctypes.data), channels * store.itemsize


@compiled
def _add_moments(
    x: Pictures, start: int, stop: int, store: Array, block: Array, mean: Array, squares: Array
) -> int:  # fmt: skip
    """Add pictures `start` … `stop − 1` to mean and Σ (x − mean)²; how many pixels they have."""
    _, channels, height, width = x.shape
    pixels = 0
    for n in range(start, stop):
        for i in range(height):
            for j in range(0, width, BLOCK):
                count = min(BLOCK, width - j)
                at, step = _side_by_side(x, n, i, j, count, store)
                block_moments(block, at, step, count, channels)
                share, weight = count / (pixels + count), pixels * count / (pixels + count)
                for c in range(channels):
                    off = block[1, c] / count  # m is rounded, and squares from there are too large
                    own = block[2, c] - off * block[1, c]
                    apart = block[0, c] + off - mean[c]
                    mean[c] += apart * share
                    # What is negative by rounding is nothing; a NaN stays.
                    squares[c] += (0.0 if own < 0 else own) + apart * apart * weight
                pixels += count
    return pixels


@compiled
def _add_sums(
    x: Pictures, dz: Pictures, start: int, stop: int, store: Array, dz_store: Array,
    mean: Array, block: Array, total: Array,
) -> None:  # fmt: skip
    """Add the sums over pictures `start` … `stop − 1` to the rows of `total`."""
    _, channels, height, width = x.shape
    for n in range(start, stop):
        for i in range(height):
            for j in range(0, width, BLOCK):
                count = min(BLOCK, width - j)
                at, step = _side_by_side(x, n, i, j, count, store)
                dz_at, dz_step = _side_by_side(dz, n, i, j, count, dz_store)
                block_sums(block, at, step, dz_at, dz_step, count, mean, channels)
                for c in range(channels):
                    total[0, c] += block[0, c]
                    total[1, c] += block[1, c]


@compiled
def _write_forward(x: Pictures, start: int, stop: int, store: Array, constants: Array, z: Array) -> None:
    """Write pictures `start` … `stop − 1` of z."""
    _, channels, height, width = x.shape
    for n in range(start, stop):
        for i in range(height):
            for j in range(0, width, BLOCK):
                count = min(BLOCK, width - j)
                at, step = _side_by_side(x, n, i, j, count, store)
                to = ((n * height + i) * width + j) * channels
                block_forward(z, to, at, step, count, constants, channels)


@compiled
def _write_backward(
    x: Pictures, dz: Pictures, start: int, stop: int, store: Array, dz_store: Array, constants: Array, dx: Array
) -> None:
    """Write pictures `start` … `stop − 1` of dx."""
    _, channels, height, width = x.shape
    for n in range(start, stop):
        for i in range(height):
            for j in range(0, width, BLOCK):
                count = min(BLOCK, width - j)
                at, step = _side_by_side(x, n, i, j, count, store)
                dz_at, dz_step = _side_by_side(dz, n, i, j, count, dz_store)
                to = ((n * height + i) * width + j) * channels
                block_backward(dx, to, at, step, dz_at, dz_step, count, constants, channels)
