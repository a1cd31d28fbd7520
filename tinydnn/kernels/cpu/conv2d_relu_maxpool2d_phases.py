"""The fused block for few input channels: one convolution for each of the four pixels that pooling compares."""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty, zeros
from tinydnn.kernels.cpu.pool2x2 import CUT, copy_rows, pool_phases, pools_2x2, unpool
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.kernels.cpu.unfold import kernel_matrix
from tinydnn.ops.implementation import Arguments, Backward, Bias

BAND_BYTES = 1 << 20  # a band of convolved pixels stays in the caches
MAX_TAPS = 32  # C·kh·kw: beyond it, unfolding every window twice no longer pays


def _supports(arguments: Arguments) -> bool:
    return arguments.stride == 1 and pools_2x2(arguments) and arguments.w[0].size <= MAX_TAPS


@ops.conv2d_relu_maxpool2d.implementation("phases", device="cpu", priority=15, supports=_supports)
def conv2d_relu_maxpool2d(
    x: Array, w: Array, b: Bias, *, stride: int = 1, padding: int = 0, window: int = 2, pool_stride: int | None = None
) -> tuple[Array, Backward]:
    """Convolve for the upper left pixels of all 2 × 2 windows at once, then for the upper right ones, and so on.

    Phase (r, s) of the pooled pixel (i, j) depends on the padded x[2i+r+u, 2j+s+v].

    Faster than pooling rows of pixels: the four phases are contiguous arrays, on which NumPy is several times as fast
    as on every other element, and with few channels most of the work is pooling.
    """
    (count, channels, *size), (out_channels, _, kh, kw) = x.shape, w.shape
    height, width = (size[0] + 2 * padding - kh + 1) // 2, (size[1] + 2 * padding - kw + 1) // 2
    bands = max(1, round(4 * out_channels * height * width * x.itemsize / BAND_BYTES))
    band = -(-height // bands)  # pooled rows; the last band may extend below the image
    rows, columns = max(2 * bands * band + kh - 1, size[0] + 2 * padding), size[1] + 2 * padding
    inside = slice(padding, padding + size[0]), slice(padding, padding + size[1])
    m = kernel_matrix(w)
    z = empty((count, out_channels, bands, band * width), x.dtype)
    winner = empty(z.shape, np.uint8)

    def workspace() -> tuple[Array, Array, Array]:
        """A padded image, the windows of a band, and the four phases of a band."""
        padded = zeros((channels, rows, columns), x.dtype)
        windows = empty((2, kh + 1, kw, channels, band, width), x.dtype)
        return padded, windows, empty((4, out_channels, band * width), x.dtype)

    def unfold(padded: Array, k: int, windows: Array) -> None:
        """windows[s, r+u, v, c, i, j] = padded[c, 2i+r+u, 2j+s+v], for the pooled rows i of band k."""
        channel, row, item = padded.strides
        strides = item, row, item, channel, 2 * row, 2 * item
        windows[...] = as_strided(padded[:, 2 * k * band :], windows.shape, strides)

    def matrices(windows: Array) -> Array:
        """The windows of each phase as the columns of a matrix: (2, 2, kh·kw·C, n), overlapping views."""
        column, row, _, channel, _, item = windows.strides
        return as_strided(windows, (2, 2, m.shape[1], band * width), (row, column, channel, item))

    def forward_part(part: slice) -> None:
        padded, windows, phases = workspace()
        for n in range(part.start, part.stop):
            padded[:, *inside] = x[n]
            for k in range(bands):
                unfold(padded, k, windows)
                np.matmul(m, matrices(windows), out=phases.reshape(2, 2, out_channels, -1))
                pool_phases(phases, b, z[n, :, k], winner[n, :, k])

    over_batch(count, forward_part)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        dx = empty(x.shape, x.dtype) if need_dx else None

        def backward_part(part: slice) -> tuple[Array, Array]:
            padded, windows, phases = workspace()
            dpooled, dpadded = empty((out_channels, band, width), x.dtype), np.zeros_like(padded)
            dw, db = np.zeros_like(m), np.zeros(out_channels, x.dtype)
            dphases = phases.reshape(2, 2, out_channels, -1)
            for n in range(part.start, part.stop):
                padded[:, *inside] = x[n]
                dpadded.fill(0)
                for k in range(bands):
                    unfold(padded, k, windows)
                    copy_rows(dz[n, :, k * band : (k + 1) * band], dpooled)
                    flat = dpooled.reshape(out_channels, -1)
                    unpool(flat, winner[n, :, k], phases)
                    db += (flat * (winner[n, :, k] != CUT)).sum(axis=1)
                    dw += (dphases @ matrices(windows).swapaxes(2, 3)).sum(axis=(0, 1))
                    if dx is not None:
                        dwindows = (m.T @ dphases).reshape(2, 2, kh, kw, channels, band, width)
                        for r, s, u, v in np.ndindex(dwindows.shape[:4]):
                            i, j = 2 * k * band + r + u, s + v
                            dpadded[:, i : i + 2 * band : 2, j : j + 2 * width : 2] += dwindows[r, s, u, v]
                if dx is not None:
                    dx[n] = dpadded[:, *inside]
            return dw, db

        dws, dbs = zip(*over_batch(count, backward_part), strict=True)
        dw = np.sum(dws, axis=0).reshape(out_channels, kh, kw, channels).transpose(0, 3, 1, 2)
        return dx, dw, None if b is None else np.sum(dbs, axis=0)

    return z.reshape(count, out_channels, bands * band, width)[:, :, :height], backward
