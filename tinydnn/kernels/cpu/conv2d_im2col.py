"""Convolution as one matrix product per image (im2col), with threads over the images."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.implementation import Backward
from tinydnn.ops.windows import output_size, pad, taps, unpad


@ops.conv2d.implementation("im2col", device="cpu", priority=10)
def conv2d(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """Unfold the windows of an image into the columns of a matrix, and multiply once.

        columns[(c,u,v), (i,j)] = x[n,c,i·s+u,j·s+v]                               (C·kh·kw, H'·W')
        z[n] = w · columns + b,    dw = Σ_n dz[n] · columnsᵀ,    dcolumns = wᵀ · dz[n]

    Faster than a product per tap: one large matrix product does all the arithmetic, and the columns of a single image
    stay in the cache. Backward unfolds them again, which costs less than storing those of a whole batch.
    """
    count, channels = x.shape[:2]
    out_channels, kernel = len(w), w.shape[2:]
    matrix = w.reshape(out_channels, -1)
    height, width = (output_size(x.shape[2 + i] + 2 * padding, kernel[i], stride) for i in (0, 1))
    z = empty((count, out_channels, height, width), x.dtype)

    def unfold(image: Array, columns: Array) -> None:
        for k, (_, _, view) in enumerate(taps(pad(image, padding), kernel, stride)):
            columns[:, k] = view

    def forward_part(part: slice) -> None:
        columns = empty((channels, kernel[0] * kernel[1], height, width), x.dtype)
        for n in range(part.start, part.stop):
            unfold(x[n], columns)
            np.matmul(matrix, columns.reshape(-1, height * width), out=z[n].reshape(out_channels, -1))
            if b is not None:
                z[n] += b[:, None, None]

    over_batch(count, forward_part)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        dx = empty(x.shape, x.dtype) if need_dx else None

        def fold(dcolumns: Array) -> Array:
            dx_padded = np.zeros((channels, x.shape[2] + 2 * padding, x.shape[3] + 2 * padding), x.dtype)
            for k, (_, _, view) in enumerate(taps(dx_padded, kernel, stride)):
                view += dcolumns[:, k]
            return unpad(dx_padded, padding)

        def backward_part(part: slice) -> Array:
            columns = empty((channels, kernel[0] * kernel[1], height, width), x.dtype)
            flat, dw = columns.reshape(-1, height * width), np.zeros_like(matrix)
            for n in range(part.start, part.stop):
                rows = dz[n].reshape(out_channels, -1)
                unfold(x[n], columns)
                dw += rows @ flat.T
                if dx is not None:
                    np.matmul(matrix.T, rows, out=flat)
                    dx[n] = fold(columns)
            return dw

        dw = np.sum(over_batch(count, backward_part), axis=0).reshape(w.shape)
        return dx, dw, None if b is None else dz.sum(axis=(0, 2, 3))

    return z, backward
