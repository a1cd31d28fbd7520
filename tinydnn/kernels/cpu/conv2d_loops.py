"""Textbook convolution: a loop over the output pixels."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.ops.implementation import Backward
from tinydnn.ops.windows import output_size, pad, unpad


@ops.conv2d.implementation("loops", device="cpu")
def conv2d(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """Compute each output pixel as the sum of a window times the kernel.

    For study and as a baseline: Python's loop takes as long as the arithmetic.
    """
    kh, kw = w.shape[2:]
    x_padded = pad(x, padding)
    height, width = (output_size(x_padded.shape[2 + i], (kh, kw)[i], stride) for i in (0, 1))
    z = np.empty((len(x), len(w), height, width), x.dtype)
    for i, j in np.ndindex(height, width):
        window = x_padded[:, :, i * stride : i * stride + kh, j * stride : j * stride + kw]
        z[:, :, i, j] = np.tensordot(window, w, ((1, 2, 3), (1, 2, 3)))
    if b is not None:
        z += b[:, None, None]

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        dw, dx_padded = np.zeros_like(w), np.zeros_like(x_padded)
        for i, j in np.ndindex(height, width):
            rows, columns = slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw)
            dw += np.tensordot(dz[:, :, i, j], x_padded[:, :, rows, columns], (0, 0))
            if need_dx:
                dx_padded[:, :, rows, columns] += np.tensordot(dz[:, :, i, j], w, (1, 0))
        dx = unpad(dx_padded, padding).copy() if need_dx else None
        return dx, dw, None if b is None else dz.sum(axis=(0, 2, 3))

    return z, backward
