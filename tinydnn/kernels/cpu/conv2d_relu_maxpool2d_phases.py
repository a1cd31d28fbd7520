"""The fused block for pictures of few channels: a product for each of the four pixels that pooling compares."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.conv2d_relu_maxpool2d import CUT, kernel_matrix
from tinydnn.kernels.cpu.memory import empty, zeros
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.operation import Backward

FEW = 32  # channels · kh · kw: beyond, it no longer pays to lay out every window twice


def _covered(
    x: Array,
    w: Array,
    b: Array | None,
    *,
    stride: int = 1,
    padding: int = 0,
    window: int = 2,
    pool_stride: int | None = None,
) -> bool:
    return stride == 1 and window == 2 and pool_stride in (None, 2) and w[0].size <= FEW


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
    rows, columns = height + (kh + 1) // 2, width + (kw + 1) // 2  # pairs of them hold the whole padded picture
    inside = slice(padding, padding + size[0]), slice(padding, padding + size[1])
    matrix, phases = kernel_matrix(w), [(0, 0), (0, 1), (1, 0), (1, 1)]
    z = empty((count, out_channels, height * width), x.dtype)
    winner = empty(z.shape, np.uint8)

    def every_other(padded: Array, r: int, s: int) -> Array:
        """The pixels [2i + r, 2j + s] of a padded picture (C, …) for all pooled (i, j): (C, h, w)."""
        return padded[:, r : r + 2 * height : 2, s : s + 2 * width : 2]

    def lay_out(picture: Array, padded: Array, windows: Array) -> None:
        """windows[b, r, v, c, i, j] = padded[c, 2i + r, 2j + b + v]."""
        padded[:, *inside] = picture
        for shift, r, v in np.ndindex(windows.shape[:3]):
            windows[shift, r, v] = every_other(padded, r, shift + v)

    def workspace() -> tuple[Array, Array]:
        padded = zeros((channels, 2 * rows, 2 * columns), x.dtype)
        return padded, empty((2, kh + 1, kw, channels, height, width), x.dtype)

    def seen(windows: Array, phase: tuple[int, int]) -> Array:
        """What the pixels of a phase see, as the columns of a matrix (kh·kw·C, h·w)."""
        return windows[phase[1], phase[0] : phase[0] + kh].reshape(matrix.shape[1], -1)

    def forward_part(part: slice) -> None:
        padded, windows = workspace()
        four = empty((4, out_channels, height * width), x.dtype)
        for n in range(part.start, part.stop):
            lay_out(x[n], padded, windows)
            for one, phase in zip(four, phases, strict=True):
                np.matmul(matrix, seen(windows, phase), out=one)
            _pool(four, b, z[n], winner[n])

    over_batch(count, forward_part)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        dx = empty(x.shape, x.dtype) if need_dx else None

        def backward_part(part: slice) -> tuple[Array, Array]:
            padded, windows = workspace()
            dw, db = np.zeros_like(matrix), np.zeros(out_channels, x.dtype)
            of_phase = empty(z.shape[1:], x.dtype)
            for n in range(part.start, part.stop):
                lay_out(x[n], padded, windows)
                dz_n, dpadded = dz[n].reshape(out_channels, -1), np.zeros_like(padded) if need_dx else None
                for k, phase in enumerate(phases):
                    np.multiply(dz_n, winner[n] == k, out=of_phase)
                    dw += of_phase @ seen(windows, phase).T
                    db += of_phase.sum(axis=1)
                    if dpadded is not None:
                        dseen = (matrix.T @ of_phase).reshape(kh, kw, channels, height, width)
                        for u, v in np.ndindex(kh, kw):
                            every_other(dpadded, phase[0] + u, phase[1] + v)[...] += dseen[u, v]
                if dx is not None and dpadded is not None:
                    dx[n] = dpadded[:, *inside]
            return dw, db

        dws, dbs = zip(*over_batch(count, backward_part), strict=True)
        dw = np.sum(dws, axis=0).reshape(out_channels, kh, kw, channels).transpose(0, 3, 1, 2)
        return dx, dw, None if b is None else np.sum(dbs, axis=0)

    return z.reshape(count, out_channels, height, width), backward


def _pool(four: Array, bias: Array | None, z: Array, winner: Array) -> None:
    """four: (4, O, h·w) → z (O, h·w), the largest with bias and ReLU, and who it was; of equals the first.

    Who it was is computed: to choose by a mask costs NumPy twenty times as much.
    """
    who, below = (four[1] > four[0]).view(np.uint8), (four[3] > four[2]).view(np.uint8)
    np.maximum(four[0], four[1], out=z)
    lower = np.maximum(four[2], four[3])
    is_lower = (lower > z).view(np.uint8)
    np.maximum(z, lower, out=z)
    if bias is not None:
        z += bias[:, None]
    who += (below + np.uint8(2) - who) * is_lower
    np.maximum(who, (z <= 0).view(np.uint8) * np.uint8(CUT), out=winner)
    np.maximum(z, 0, out=z)
