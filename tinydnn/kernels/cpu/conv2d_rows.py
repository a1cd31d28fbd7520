"""Convolution by one matrix product per output row, with threads over the images."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu import unfold
from tinydnn.kernels.cpu.memory import empty
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.kernels.cpu.unfold import Columns, Rows, flipped, kernel_matrix
from tinydnn.ops.implementation import Backward


@ops.conv2d.implementation("rows", device="cpu", priority=15, supports=unfold.supports)
def conv2d(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """Multiply the kernel by one matrix for each output row; the matrices overlap (`tinydnn.kernels.cpu.unfold`).

    Faster than one product per image: kw copies of the image instead of kh·kw stay in the cache. dx is the convolution
    of dz with the flipped kernel. z and dx are (N, H, C, W) in memory.
    """
    (count, channels, *size), (out_channels, _, *kernel) = x.shape, w.shape
    height, width = (size[i] + 2 * padding - kernel[i] + 1 for i in (0, 1))
    z = empty((count, height, out_channels, width), x.dtype)
    m = kernel_matrix(w)

    def forward_part(part: slice) -> None:
        rows = Rows(channels, x.shape[2:], kernel, padding, x.dtype)
        for n in range(part.start, part.stop):
            np.matmul(m, rows.unfold(x[n]), out=z[n])
            if b is not None:
                z[n] += b[:, None]

    over_batch(count, forward_part)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        m_flipped = kernel_matrix(flipped(w))
        dx = empty((count, size[0], channels, size[1]), x.dtype) if need_dx else None

        def backward_part(part: slice) -> Array:
            columns = Columns(channels, x.shape[2:], kernel, padding, x.dtype)
            rows = Rows(out_channels, dz.shape[2:], kernel, kernel[0] - 1 - padding, x.dtype)
            dw = np.zeros((kernel[0], out_channels, kernel[1] * channels), x.dtype)
            for n in range(part.start, part.stop):
                flat = dz[n].reshape(out_channels, -1)
                for u, matrix in enumerate(columns.unfold(x[n])):
                    dw[u] += flat @ matrix.T
                if dx is not None:
                    np.matmul(m_flipped, rows.unfold(dz[n]), out=dx[n])
            return dw

        dw = np.sum(over_batch(count, backward_part), axis=0).reshape(kernel[0], out_channels, kernel[1], channels)
        db = None if b is None else dz.sum(axis=(0, 2, 3))
        return None if dx is None else dx.transpose(0, 2, 1, 3), dw.transpose(1, 3, 0, 2), db

    return z.transpose(0, 2, 1, 3), backward
