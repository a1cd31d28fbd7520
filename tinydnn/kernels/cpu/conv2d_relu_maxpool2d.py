"""Convolution, ReLU and 2 × 2 max pooling in bands of rows, with threads over the images."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu import unfold
from tinydnn.kernels.cpu.memory import empty
from tinydnn.kernels.cpu.pool2x2 import CUT, pool_rows, pools_2x2, unpool
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.kernels.cpu.unfold import Columns, Rows, flipped, kernel_matrix
from tinydnn.ops.implementation import Backward, Bias

BAND_BYTES = 1 << 19  # a band of convolved rows stays in a core's second-level cache


@ops.conv2d_relu_maxpool2d.implementation(
    "fused", device="cpu", priority=10, supports=lambda call: unfold.supports(call) and pools_2x2(call)
)
def conv2d_relu_maxpool2d(
    x: Array, w: Array, b: Bias, *, stride: int = 1, padding: int = 0, window: int = 2, pool_stride: int | None = None
) -> tuple[Array, Backward]:
    """Convolve a band of rows and pool it while it is in the cache.

    Faster than the three in sequence, which are bound by memory: the convolved values, four times as many as z, are
    never stored. z is (N, H', O, W') and dx (N, H, C, W) in memory.
    """
    (count, channels, *_), (out_channels, _, *kernel) = x.shape, w.shape
    height, width = ((x.shape[2 + i] + 2 * padding - kernel[i] + 1) // 2 for i in (0, 1))
    m = kernel_matrix(w)
    bias = np.zeros(out_channels, x.dtype) if b is None else b
    z = empty((count, height, out_channels, width), x.dtype)
    winner = empty(z.shape, np.uint8)

    def forward_part(part: slice) -> None:
        rows = Rows(channels, x.shape[2:], kernel, padding, x.dtype)
        band = max(1, BAND_BYTES // (2 * out_channels * rows.width * x.itemsize))
        convolved = empty((2 * band, out_channels, rows.width), x.dtype)
        for n in range(part.start, part.stop):
            matrices = rows.unfold(x[n])
            for start in range(0, height, band):
                stop = min(start + band, height)
                out = convolved[: 2 * (stop - start)]
                np.matmul(m, matrices[2 * start : 2 * stop], out=out)
                pool_rows(out[..., : 2 * width], bias, z[n, start:stop], winner[n, start:stop])

    over_batch(count, forward_part)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        m_flipped = kernel_matrix(flipped(w))
        dx = empty((count, x.shape[2], channels, x.shape[3]), x.dtype) if need_dx else None

        def backward_part(part: slice) -> tuple[Array, Array]:
            columns = Columns(channels, x.shape[2:], kernel, padding, x.dtype)
            dconvolved = np.zeros((out_channels, *columns.shape), x.dtype)
            phases = [dconvolved[:, u : 2 * height : 2, v : 2 * width : 2] for u, v in np.ndindex(2, 2)]
            rows = Rows(out_channels, columns.shape, kernel, kernel[0] - 1 - padding, x.dtype)
            dw, db = np.zeros((kernel[0], out_channels, kernel[1] * channels), x.dtype), np.zeros(out_channels, x.dtype)
            for n in range(part.start, part.stop):
                winner_n = winner[n].transpose(1, 0, 2)
                unpool(dz[n], winner_n, phases)
                db += (dz[n] * (winner_n != CUT)).sum(axis=(1, 2))
                flat = dconvolved.reshape(out_channels, -1)
                for u, matrix in enumerate(columns.unfold(x[n])):
                    dw[u] += flat @ matrix.T
                if dx is not None:
                    np.matmul(m_flipped, rows.unfold(dconvolved), out=dx[n])
            return dw, db

        dws, dbs = zip(*over_batch(count, backward_part), strict=True)
        dw = np.sum(dws, axis=0).reshape(kernel[0], out_channels, kernel[1], channels).transpose(1, 3, 0, 2)
        return None if dx is None else dx.transpose(0, 2, 1, 3), dw, None if b is None else np.sum(dbs, axis=0)

    return z.transpose(0, 2, 1, 3), backward
