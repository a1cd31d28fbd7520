"""Convolution as one matrix product for each picture."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
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
    out_channels, _, *window = w.shape
    x_padded = pad(x, padding)
    height, width = (output_size(x_padded.shape[2 + axis], window[axis], stride) for axis in (0, 1))
    matrix = w.reshape(out_channels, -1)
    columns = np.empty((channels, window[0] * window[1], height, width), x.dtype)
    flat = columns.reshape(-1, height * width)

    def lay_out(picture: Array) -> None:
        for k, (_, _, seen) in enumerate(taps(picture, tuple(window), stride)):
            columns[:, k] = seen

    z = np.empty((count, out_channels, height, width), x.dtype)
    for n in range(count):
        lay_out(x_padded[n])
        np.matmul(matrix, flat, out=z[n].reshape(out_channels, -1))
        if b is not None:
            z[n] += b[:, None, None]

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        dw = np.zeros_like(matrix)
        db = None if b is None else dz.sum(axis=(0, 2, 3))
        dx_padded = np.zeros_like(x_padded) if need_dx else None
        for n in range(count):
            rows = dz[n].reshape(out_channels, -1)
            lay_out(x_padded[n])
            dw += rows @ flat.T
            if dx_padded is not None:
                np.matmul(matrix.T, rows, out=flat)
                for k, (_, _, reached) in enumerate(taps(dx_padded[n], tuple(window), stride)):
                    reached += columns[:, k]
        return None if dx_padded is None else unpad(dx_padded, padding), dw.reshape(w.shape), db

    return z, backward
