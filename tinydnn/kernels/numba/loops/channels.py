"""Sums over the pixels of each channel, and element-wise passes, with threads over the images.

Arrays are (N, C, H, W); results are channels-last in memory. Pixels are taken in blocks that stay in the first-level
cache of a core, and the sums of blocks are accumulated in float64, in a fixed order.
"""

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.kernels.numba.jit import compiled
from tinydnn.kernels.numba.simd.layout import StridedArray, element_at
from tinydnn.kernels.numba.simd.pixel_blocks import block_affine, block_batchnorm_gradient, block_moments, block_sums

BLOCK = 64  # pixels


def moments(x: Array) -> tuple[Array, Array]:
    """Mean and variance of each channel, in float64.

    Of parts a and b with n pixels in all, and with S = Σ (x − μ)² and δ = μ_b − μ_a:

        μ = μ_a + δ · n_b / n,      S = S_a + S_b + δ² · n_a · n_b / n
    """
    (source,), channels = _in_rows(x), x.shape[1]

    def moments_part(part: slice) -> tuple[int, Array, Array]:
        mean, squares = np.zeros((2, channels))
        block, workspace = np.empty((3, channels), x.dtype), _workspace(x)
        pixels = _add_moments(source, part.start, part.stop, workspace, block, mean, squares)
        return pixels, mean, squares

    (pixels, mean, squares), *others = over_batch(len(x), moments_part)
    for pixels_b, mean_b, squares_b in others:
        delta, total = mean_b - mean, pixels + pixels_b
        mean, squares = mean + delta * (pixels_b / total), squares + squares_b + delta**2 * (pixels * pixels_b / total)
        pixels = total
    return mean, squares / pixels


def sums(x: Array, dz: Array, mean: Array) -> tuple[Array, Array]:
    """Σ dz and Σ dz · (x − μ) over the pixels of each channel, in float64."""
    source, upstream = _in_rows(x, dz)
    mean = np.ascontiguousarray(mean)

    def sums_part(part: slice) -> Array:
        block, total = np.empty((2, len(mean)), x.dtype), np.zeros((2, len(mean)))
        _add_sums(source, upstream, part.start, part.stop, _workspace(x), _workspace(x), mean, block, total)
        return total

    dz_sum, product_sum = np.sum(over_batch(len(x), sums_part), axis=0)
    return dz_sum, product_sum


def affine(x: Array, mean: Array, scale: Array, beta: Array) -> Array:
    """The array z = (x − μ) · scale + β, channel by channel."""
    (source,), constants = _in_rows(x), np.array((mean, scale, beta), x.dtype)
    z = empty((len(x), *x.shape[2:], x.shape[1]), x.dtype)
    flat = z.reshape(-1)
    over_batch(len(x), lambda part: _write_affine(source, part.start, part.stop, _workspace(x), constants, flat))
    return z.transpose(0, 3, 1, 2)


def batchnorm_gradient(x: Array, dz: Array, mean: Array, scale: Array, dbeta_mean: Array, slope: Array) -> Array:
    """The gradient dx = scale · (dz − dβ/M − (x − μ) · slope) with slope = dγ / (M · √(σ² + ε)), channel by channel."""
    (source, upstream), constants = _in_rows(x, dz), np.array((mean, scale, dbeta_mean, slope), x.dtype)
    dx = empty((len(x), *x.shape[2:], x.shape[1]), x.dtype)
    flat = dx.reshape(-1)

    def gradient_part(part: slice) -> None:
        _write_gradient(source, upstream, part.start, part.stop, _workspace(x), _workspace(x), constants, flat)

    over_batch(len(x), gradient_part)
    return dx.transpose(0, 3, 1, 2)


def _workspace(x: Array) -> Array:
    """Memory for a block of pixels."""
    return np.empty(BLOCK * x.shape[1], x.dtype)


def _in_rows(*arrays: Array) -> list[StridedArray]:
    """The arrays as kernels read them; each image a single row if no array has gaps between rows."""
    count, channels, height, width = arrays[0].shape
    if all(x.strides[2] == width * x.strides[3] for x in arrays):
        height, width = 1, height * width
    return [StridedArray(x.__array_interface__["data"][0], x.strides, (count, channels, height, width)) for x in arrays]


@compiled
def _block(x: StridedArray, n: int, i: int, j: int, count: int, workspace: Array) -> tuple[np.intp, int]:
    """Address of `count` pixels from column j on, and bytes to the next: in x, or a copy with contiguous channels."""
    (_, channels, _, _), (by_image, by_channel, by_row, by_column) = x.shape, x.strides
    address = x.address + n * by_image + i * by_row + j * by_column
    if channels == 1 or by_channel == workspace.itemsize:
        return np.intp(address), by_column
    for c in range(channels):
        for k in range(count):  # an unsigned index, so that Numba does not test for a negative one
            workspace[np.uintp(k * channels + c)] = element_at(workspace, address + c * by_channel + k * by_column)
    return np.intp(workspace.ctypes.data), channels * workspace.itemsize


@compiled
def _add_moments(
    x: StridedArray, start: int, stop: int, workspace: Array, block: Array, mean: Array, squares: Array
) -> int:
    """Add images `start` … `stop − 1` to μ and S = Σ (x − μ)² of `moments`, and return their number of pixels."""
    _, channels, height, width = x.shape
    pixels = 0
    for n in range(start, stop):
        for i in range(height):
            for j in range(0, width, BLOCK):
                count = min(BLOCK, width - j)
                address, step = _block(x, n, i, j, count, workspace)
                block_moments(block, address, step, count, channels)
                share, weight = count / (pixels + count), pixels * count / (pixels + count)
                for c in range(channels):
                    m, deviations, block_squares = block[0, c], block[1, c], block[2, c]
                    rounding = deviations / count  # m is rounded, and the squares around it are too large
                    own = block_squares - rounding * deviations
                    delta = m + rounding - mean[c]
                    mean[c] += delta * share
                    # A value that is negative by rounding counts as zero; a NaN stays.
                    squares[c] += (0.0 if own < 0 else own) + delta * delta * weight
                pixels += count
    return pixels


@compiled
def _add_sums(
    x: StridedArray, dz: StridedArray, start: int, stop: int, workspace: Array, dz_workspace: Array,
    mean: Array, block: Array, total: Array,
) -> None:  # fmt: skip
    """Add the sums over images `start` … `stop − 1` to the rows of `total`."""
    _, channels, height, width = x.shape
    for n in range(start, stop):
        for i in range(height):
            for j in range(0, width, BLOCK):
                count = min(BLOCK, width - j)
                address, step = _block(x, n, i, j, count, workspace)
                dz_address, dz_step = _block(dz, n, i, j, count, dz_workspace)
                block_sums(block, address, step, dz_address, dz_step, count, mean, channels)
                for c in range(channels):
                    total[0, c] += block[0, c]
                    total[1, c] += block[1, c]


@compiled
def _write_affine(x: StridedArray, start: int, stop: int, workspace: Array, constants: Array, z: Array) -> None:
    """Write images `start` … `stop − 1` of z."""
    _, channels, height, width = x.shape
    for n in range(start, stop):
        for i in range(height):
            for j in range(0, width, BLOCK):
                count = min(BLOCK, width - j)
                address, step = _block(x, n, i, j, count, workspace)
                z_at = ((n * height + i) * width + j) * channels
                block_affine(z, z_at, address, step, count, constants, channels)


@compiled
def _write_gradient(
    x: StridedArray, dz: StridedArray, start: int, stop: int, workspace: Array, dz_workspace: Array,
    constants: Array, dx: Array,
) -> None:  # fmt: skip
    """Write images `start` … `stop − 1` of dx."""
    _, channels, height, width = x.shape
    for n in range(start, stop):
        for i in range(height):
            for j in range(0, width, BLOCK):
                count = min(BLOCK, width - j)
                address, step = _block(x, n, i, j, count, workspace)
                dz_address, dz_step = _block(dz, n, i, j, count, dz_workspace)
                dx_at = ((n * height + i) * width + j) * channels
                block_batchnorm_gradient(dx, dx_at, address, step, dz_address, dz_step, count, constants, channels)
