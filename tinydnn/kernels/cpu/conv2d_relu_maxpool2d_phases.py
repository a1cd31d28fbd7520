"""The fused block for pictures of few channels: a product for each of the four pixels that pooling compares."""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.conv2d_relu_maxpool2d import CUT, kernel_matrix
from tinydnn.kernels.cpu.memory import empty, zeros
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.operation import Arguments, Backward

BAND_BYTES = 1 << 20  # of convolved pixels at a time, which stay in the caches
FEW = 32  # channels · kh · kw: beyond, it no longer pays to lay out every window twice


def _covered(call: Arguments) -> bool:
    return call.stride == 1 and call.window == 2 and call.pool_stride in (None, 2) and call.w[0].size <= FEW


@ops.conv2d_relu_maxpool2d.implementation("phases", device="cpu", priority=15, supports=_covered)
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
    """Convolve for the upper left pixels of all 2 × 2 windows at once, then the upper right, and so on.

    Faster than to pool what lies row by row, because the four that are compared are then four contiguous arrays, and
    NumPy is several times as fast on those as on every other number of one. With few channels most of the work is
    pooling.

    In phase (a, b), a pooled pixel (i, j) sees x[2i + a + u, 2j + b + v].
    """
    (count, channels, *size), (out_channels, _, kh, kw) = x.shape, w.shape
    height, width = (size[0] + 2 * padding - kh + 1) // 2, (size[1] + 2 * padding - kw + 1) // 2
    number = max(1, round(4 * out_channels * height * width * x.itemsize / BAND_BYTES))
    band = -(-height // number)  # pooled rows; the last band may reach beyond the picture
    rows, columns = max(2 * number * band + kh - 1, size[0] + 2 * padding), size[1] + 2 * padding
    inside = slice(padding, padding + size[0]), slice(padding, padding + size[1])
    matrix = kernel_matrix(w)
    z = empty((count, out_channels, number, band * width), x.dtype)
    winner = empty(z.shape, np.uint8)

    def lay_out(padded: Array, k: int, windows: Array) -> None:
        """windows[b, r, v, c, i, j] = padded[c, 2i + r, 2j + b + v], for the pooled rows i of band k."""
        by_channel, by_row, item = padded.strides
        strides = item, by_row, item, by_channel, 2 * by_row, 2 * item
        windows[...] = as_strided(padded[:, 2 * k * band :], windows.shape, strides)

    def workspace() -> tuple[Array, Array, Array]:
        """A padded picture, the windows of a band, and its four phases."""
        padded = zeros((channels, rows, columns), x.dtype)
        windows = empty((2, kh + 1, kw, channels, band, width), x.dtype)
        return padded, windows, empty((4, out_channels, band * width), x.dtype)

    def seen(windows: Array) -> Array:
        """What the pixels of each phase see, as the columns of a matrix: (2, 2, kh·kw·C, n), which overlap."""
        by_column, by_row, _, by_channel, _, item = windows.strides
        shape, strides = (2, 2, matrix.shape[1], band * width), (by_row, by_column, by_channel, item)
        return as_strided(windows, shape, strides)

    def forward_part(part: slice) -> None:
        padded, windows, four = workspace()
        for n in range(part.start, part.stop):
            padded[:, *inside] = x[n]
            for k in range(number):
                lay_out(padded, k, windows)
                np.matmul(matrix, seen(windows), out=four.reshape(2, 2, out_channels, -1))
                pool(four, b, z[n, :, k], winner[n, :, k])

    over_batch(count, forward_part)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        dx = empty(x.shape, x.dtype) if need_dx else None

        def backward_part(part: slice) -> tuple[Array, Array]:
            padded, windows, four = workspace()
            pooled, dpadded = empty((out_channels, band, width), x.dtype), np.zeros_like(padded)
            dw, db = np.zeros_like(matrix), np.zeros(out_channels, x.dtype)
            of_phases = four.reshape(2, 2, out_channels, -1)
            for n in range(part.start, part.stop):
                padded[:, *inside] = x[n]
                dpadded.fill(0)
                for k in range(number):
                    lay_out(padded, k, windows)
                    take(dz[n, :, k * band : (k + 1) * band], pooled)
                    db += unpool(pooled.reshape(out_channels, -1), winner[n, :, k], four)
                    dw += (of_phases @ seen(windows).swapaxes(2, 3)).sum(axis=(0, 1))
                    if dx is not None:
                        dseen = (matrix.T @ of_phases).reshape(2, 2, kh, kw, channels, band, width)
                        for r, s, u, v in np.ndindex(dseen.shape[:4]):
                            i, j = 2 * k * band + r + u, s + v
                            dpadded[:, i : i + 2 * band : 2, j : j + 2 * width : 2] += dseen[r, s, u, v]
                if dx is not None:
                    dx[n] = dpadded[:, *inside]
            return dw, db

        dws, dbs = zip(*over_batch(count, backward_part), strict=True)
        dw = np.sum(dws, axis=0).reshape(out_channels, kh, kw, channels).transpose(0, 3, 1, 2)
        return dx, dw, None if b is None else np.sum(dbs, axis=0)

    return z.reshape(count, out_channels, number * band, width)[:, :, :height], backward


def take(rows: Array, to: Array) -> None:
    """Copy rows (O, …, w) of a picture to the first rows of `to`; those beyond the picture are zeros."""
    to[:, : rows.shape[1]] = rows
    to[:, rows.shape[1] :] = 0


def pool(four: Array, bias: Array | None, z: Array, winner: Array) -> None:
    """four: (4, …, O, n) → z (…, O, n), the largest with bias and ReLU, and who it was; of equals the first.

    Who it was is computed: to choose by a mask costs NumPy twenty times as much. `four` is used up.
    """
    who, below = np.greater(four[1], four[0]).view(np.uint8), np.greater(four[3], four[2]).view(np.uint8)
    upper, lower = np.maximum(four[0], four[1], out=four[0]), np.maximum(four[2], four[3], out=four[2])
    is_lower = np.greater(lower, upper).view(np.uint8)
    np.maximum(upper, lower, out=upper)
    if bias is not None:
        upper += bias[:, None]
    below += 2
    below -= who
    below *= is_lower
    who += below
    cut = np.less_equal(upper, 0).view(np.uint8)
    cut *= CUT
    np.maximum(who, cut, out=winner)
    np.maximum(upper, np.zeros(upper.shape[-1], upper.dtype), out=z)  # a row of zeros is faster than one zero


def unpool(dz: Array, winner: Array, four: Array) -> Array:
    """The way back, dz (…, O, n) → four (4, …, O, n); returns the gradient of the bias (O,)."""
    for k, one in enumerate(four):
        np.multiply(dz, winner == k, out=one)
    uncut = np.multiply(dz, winner != CUT)
    return uncut.sum(axis=(*range(dz.ndim - 2), -1))
