"""Sums over the pixels of each channel, and passes that write each pixel anew, with threads over the pictures.

Arrays are (N, C, H, W), with channels side by side in memory (`channels_last`). Pixels are taken in blocks that stay in
a core's first cache, and the sums of blocks go into sums in float64, in a fixed order.
"""

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cpu.compiled.jit import compiled
from tinydnn.kernels.cpu.compiled.layout import Pictures
from tinydnn.kernels.cpu.compiled.pixel_blocks import block_backward, block_forward, block_moments, block_sums
from tinydnn.kernels.cpu.memory import empty
from tinydnn.kernels.cpu.threads import over_batch

BLOCK = 64  # pixels


def channels_last(x: Array) -> Array:
    """The pictures x with channels side by side in memory: x itself where they are."""
    if x.shape[1] == 1 or x.strides[1] == x.itemsize:
        return x
    copy = _empty_like(x)
    copy[...] = x
    return copy


def moments(x: Array) -> tuple[Array, Array]:
    """Mean and variance of each channel, in float64."""
    (seen,), channels = _in_rows(x), x.shape[1]

    def part(part: slice) -> tuple[int, Array, Array]:
        mean, squares = np.zeros((2, channels))
        pixels = _add_moments(seen, part.start, part.stop, np.empty((3, channels), x.dtype), mean, squares)
        return pixels, mean, squares

    (pixels, mean, squares), *others = over_batch(len(x), part)
    for more, its_mean, its_squares in others:
        apart, both = its_mean - mean, pixels + more
        mean, squares = mean + apart * (more / both), squares + its_squares + apart**2 * (pixels * more / both)
        pixels = both
    return mean, squares / pixels


def sums(x: Array, dz: Array, mean: Array) -> tuple[Array, Array]:
    """Σ dz and Σ dz · (x − mean) over the pixels of each channel, in float64."""
    (seen, upstream), channels = _in_rows(x, dz), x.shape[1]
    centre = np.ascontiguousarray(mean)

    def part(part: slice) -> Array:
        total = np.zeros((2, channels))
        _add_sums(seen, upstream, part.start, part.stop, centre, np.empty((2, channels), x.dtype), total)
        return total

    of_dz, of_products = np.sum(over_batch(len(x), part), axis=0)
    return of_dz, of_products


def forward(x: Array, mean: Array, slope: Array, shift: Array) -> Array:
    """(x − mean) · slope + shift, channel by channel."""
    (seen,), z = _in_rows(x), _empty_like(x)
    constants, flat = np.array((mean, slope, shift), x.dtype), z.transpose(0, 2, 3, 1).reshape(-1)
    over_batch(len(x), lambda part: _write_forward(seen, part.start, part.stop, constants, flat))
    return z


def backward(x: Array, dz: Array, mean: Array, slope: Array, shift: Array, gain: Array) -> Array:
    """(dz − (x − mean) · slope − shift) · gain, channel by channel."""
    (seen, upstream), dx = _in_rows(x, dz), _empty_like(x)
    constants, flat = np.array((mean, slope, shift, gain), x.dtype), dx.transpose(0, 2, 3, 1).reshape(-1)
    over_batch(len(x), lambda part: _write_backward(seen, upstream, part.start, part.stop, constants, flat))
    return dx


def _empty_like(x: Array) -> Array:
    return empty((len(x), *x.shape[2:], x.shape[1]), x.dtype).transpose(0, 3, 1, 2)


def _in_rows(*arrays: Array) -> list[Pictures]:
    """The arrays as kernels read them, with a picture's rows as a single one where no array has gaps between them."""
    count, channels, height, width = arrays[0].shape
    if all(x.strides[2] == width * x.strides[3] for x in arrays):
        height, width = 1, height * width
    return [Pictures(x.__array_interface__["data"][0], x.strides, (count, channels, height, width)) for x in arrays]


@compiled
def _add_moments(x: Pictures, start: int, stop: int, block: Array, mean: Array, squares: Array) -> int:
    """Add pictures `start` … `stop − 1` to mean and Σ (x − mean)²; how many pixels they have."""
    _, channels, height, width = x.shape
    pixels = 0
    for n in range(start, stop):
        for i in range(height):
            for j in range(0, width, BLOCK):
                count = min(BLOCK, width - j)
                at = x.address + n * x.strides[0] + i * x.strides[2] + j * x.strides[3]
                block_moments(block, at, x.strides[3], count, channels)
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
def _add_sums(x: Pictures, dz: Pictures, start: int, stop: int, mean: Array, block: Array, total: Array) -> None:
    """Add the sums over pictures `start` … `stop − 1` to the rows of `total`."""
    _, channels, height, width = x.shape
    for n in range(start, stop):
        for i in range(height):
            for j in range(0, width, BLOCK):
                x_at = x.address + n * x.strides[0] + i * x.strides[2] + j * x.strides[3]
                dz_at = dz.address + n * dz.strides[0] + i * dz.strides[2] + j * dz.strides[3]
                count = min(BLOCK, width - j)
                block_sums(block, x_at, x.strides[3], dz_at, dz.strides[3], count, mean, channels)
                for c in range(channels):
                    total[0, c] += block[0, c]
                    total[1, c] += block[1, c]


@compiled
def _write_forward(x: Pictures, start: int, stop: int, constants: Array, z: Array) -> None:
    """Write pictures `start` … `stop − 1` of z."""
    _, channels, height, width = x.shape
    for n in range(start, stop):
        for i in range(height):
            for j in range(0, width, BLOCK):
                x_at = x.address + n * x.strides[0] + i * x.strides[2] + j * x.strides[3]
                at = ((n * height + i) * width + j) * channels
                block_forward(z, at, x_at, x.strides[3], min(BLOCK, width - j), constants, channels)


@compiled
def _write_backward(x: Pictures, dz: Pictures, start: int, stop: int, constants: Array, dx: Array) -> None:
    """Write pictures `start` … `stop − 1` of dx."""
    _, channels, height, width = x.shape
    for n in range(start, stop):
        for i in range(height):
            for j in range(0, width, BLOCK):
                x_at = x.address + n * x.strides[0] + i * x.strides[2] + j * x.strides[3]
                dz_at = dz.address + n * dz.strides[0] + i * dz.strides[2] + j * dz.strides[3]
                at = ((n * height + i) * width + j) * channels
                count = min(BLOCK, width - j)
                block_backward(dx, at, x_at, x.strides[3], dz_at, dz.strides[3], count, constants, channels)
