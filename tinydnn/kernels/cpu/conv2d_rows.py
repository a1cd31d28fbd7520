"""Convolution row by row, from overlapping matrices, with threads over the pictures."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.conv2d_relu_maxpool2d import Columns, Rows, kernel_matrix
from tinydnn.kernels.cpu.memory import empty
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.operation import Arguments, Backward


def _covered(call: Arguments) -> bool:
    return call.stride == 1 and call.w.shape[2] == call.w.shape[3] and call.padding < call.w.shape[2]


@ops.conv2d.implementation("rows", device="cpu", priority=15, supports=_covered)
def conv2d(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """Multiply once for each row of the output, by the rows of the picture that it sees.

    Faster than one product for a whole picture, because neighbouring rows share their matrices: kw copies of the
    picture do in place of kh·kw, and they stay in the cache. dx is the convolution of dz with the kernel turned
    round. z and dx lie in memory as (N, H, C, W).
    """
    (count, channels, *size), (out_channels, _, *kernel) = x.shape, w.shape
    height, width = (size[i] + 2 * padding - kernel[i] + 1 for i in (0, 1))
    z = empty((count, height, out_channels, width), x.dtype)
    matrix = kernel_matrix(w)

    def forward_part(part: slice) -> None:
        rows = Rows(channels, x.shape[2:], kernel, padding, x.dtype)
        for n in range(part.start, part.stop):
            np.matmul(matrix, rows.lay_out(x[n]), out=z[n])
            if b is not None:
                z[n] += b[:, None]

    over_batch(count, forward_part)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        turned = kernel_matrix(w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
        dx = empty((count, size[0], channels, size[1]), x.dtype) if need_dx else None

        def backward_part(part: slice) -> Array:
            columns = Columns(channels, x.shape[2:], kernel, padding, x.dtype)
            rows = Rows(out_channels, dz.shape[2:], kernel, kernel[0] - 1 - padding, x.dtype)
            dw = np.zeros((kernel[0], out_channels, kernel[1] * channels), x.dtype)
            for n in range(part.start, part.stop):
                flat = dz[n].reshape(out_channels, -1)
                for u, seen in enumerate(columns.lay_out(x[n])):
                    dw[u] += flat @ seen.T
                if dx is not None:
                    np.matmul(turned, rows.lay_out(dz[n]), out=dx[n])
            return dw

        dw = np.sum(over_batch(count, backward_part), axis=0).reshape(kernel[0], out_channels, kernel[1], channels)
        db = None if b is None else dz.sum(axis=(0, 2, 3))
        return None if dx is None else dx.transpose(0, 2, 1, 3), dw.transpose(1, 3, 0, 2), db

    return z.transpose(0, 2, 1, 3), backward
