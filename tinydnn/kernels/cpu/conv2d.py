"""Convolution as one matrix product for each picture, with threads over the pictures."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.operation import Backward
from tinydnn.ops.windows import output_size, pad, taps, unpad


@ops.conv2d.implementation("im2col", device="cpu", priority=10)
def conv2d(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """Lay out the windows of a picture as the columns of a matrix and multiply once.

    Faster than a product for each tap, because one large matrix product does all the arithmetic, and because
    the columns of a single picture stay in the cache and are used up before the next picture's overwrite them.
    They are laid out again for the gradient: that costs less than to keep them for a whole batch.

    columns: (C·kh·kw, H'·W').  z[n] = w · columns,  dw = Σ_n dz[n] · columnsᵀ,  dcolumns = wᵀ · dz[n].
    """
    count, channels = x.shape[:2]
    out_channels, kernel = len(w), w.shape[2:]
    matrix = w.reshape(out_channels, -1)
    height, width = (output_size(x.shape[2 + i] + 2 * padding, kernel[i], stride) for i in (0, 1))
    z = empty((count, out_channels, height, width), x.dtype)

    def forward_part(part: slice) -> None:
        columns = empty((channels, kernel[0] * kernel[1], height, width), x.dtype)
        for n in range(part.start, part.stop):
            lay_out(x[n], columns)
            np.matmul(matrix, columns.reshape(-1, height * width), out=z[n].reshape(out_channels, -1))
            if b is not None:
                z[n] += b[:, None, None]

    def lay_out(picture: Array, columns: Array) -> None:
        for k, (_, _, seen) in enumerate(taps(pad(picture, padding), kernel, stride)):
            columns[:, k] = seen

    over_batch(count, forward_part)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        dx = empty(x.shape, x.dtype) if need_dx else None

        def backward_part(part: slice) -> Array:
            columns = empty((channels, kernel[0] * kernel[1], height, width), x.dtype)
            flat, dw = columns.reshape(-1, height * width), np.zeros_like(matrix)
            for n in range(part.start, part.stop):
                rows = dz[n].reshape(out_channels, -1)
                lay_out(x[n], columns)
                dw += rows @ flat.T
                if dx is not None:
                    np.matmul(matrix.T, rows, out=flat)
                    dx[n] = put_back(columns)
            return dw

        def put_back(dcolumns: Array) -> Array:
            dx_padded = np.zeros((channels, x.shape[2] + 2 * padding, x.shape[3] + 2 * padding), x.dtype)
            for k, (_, _, reached) in enumerate(taps(dx_padded, kernel, stride)):
                reached += dcolumns[:, k]
            return unpad(dx_padded, padding)

        dw = np.sum(over_batch(count, backward_part), axis=0).reshape(w.shape)
        return dx, dw, None if b is None else dz.sum(axis=(0, 2, 3))

    return z, backward
