"""Unfold an image into matrices whose products with a kernel are convolutions of stride 1.

With x padded by zeros to (C, H + 2p, W + 2p), output row i and kernel row u take the matrices

    rows[i][(u,v,c), j]       = x[c,i+u,j+v]      z[:,i,:]    = m · rows[i]  with  m[o,(u,v,c)] = w[o,c,u,v]
    columns[u][(v,c), (i,j)]  = x[c,i+u,j+v]      dw[:,:,u,:] = dz · columns[u]ᵀ

Both are views of kw shifted copies of the image, x[c,i,j+v], instead of kh·kw: the matrices overlap in memory.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinydnn.backend import Array
from tinydnn.ops.implementation import Arguments


def supports(arguments: Arguments) -> bool:
    """Stride 1 and a square kernel larger than the padding: dx is then a convolution whose padding is not negative."""
    kh, kw = arguments.w.shape[2:]
    return arguments.stride == 1 and kh == kw and arguments.padding < kh


class Rows:
    """A matrix for each output row. The copies are stored as (H + 2p, kw, C, W').

    The padded rows i … i + kh − 1, on which output row i depends, are then contiguous.
    """

    def __init__(self, channels: int, size: tuple[int, ...], kernel: list[int], padding: int, dtype: np.dtype) -> None:
        padded, self.width = size[0] + 2 * padding, size[1] + 2 * padding - kernel[1] + 1
        # Nothing is ever written outside the image, so the padding stays zero.
        self._copies = np.zeros((padded, kernel[1], channels, self.width), dtype)
        self._padding, self._size = padding, size
        row, _, channel, item = self._copies.strides
        shape = (padded - kernel[0] + 1, kernel[0] * kernel[1] * channels, self.width)
        self._matrices = as_strided(self._copies, shape, (row, channel, item))

    def unfold(self, image: Array) -> Array:
        """image: (C, H, W). The matrices: (H', kh·kw·C, W'), valid until the next call."""
        inside = self._copies[self._padding : self._padding + self._size[0]]
        for v in range(inside.shape[1]):
            target, source = _overlap(v - self._padding, self.width, self._size[1])
            inside[:, v, :, target] = image[:, :, source].transpose(1, 0, 2)
        return self._matrices


class Columns:
    """A matrix for each kernel row. The copies are stored as (kw, C, H + 2p, W').

    The matrix of kernel row u is that of row 0, u·W' elements further on. `shape` is (H', W').
    """

    def __init__(self, channels: int, size: tuple[int, ...], kernel: list[int], padding: int, dtype: np.dtype) -> None:
        self.shape = tuple(size[i] + 2 * padding - kernel[i] + 1 for i in (0, 1))
        self._copies = np.zeros((kernel[1], channels, size[0] + 2 * padding, self.shape[1]), dtype)
        self._padding, self._size, self._kernel = padding, size, kernel

    def unfold(self, image: Array) -> list[Array]:
        """image: (C, H, W). A matrix (kw·C, H'·W') for each kernel row, valid until the next call."""
        for v, copy in enumerate(self._copies):
            target, source = _overlap(v - self._padding, self.shape[1], self._size[1])
            copy[:, self._padding : self._padding + self._size[0], target] = image[:, :, source]
        height, width = self.shape
        flat = self._copies.reshape(self._kernel[1] * self._copies.shape[1], -1)
        return [flat[:, u * width : (u + height) * width] for u in range(self._kernel[0])]


def _overlap(shift: int, width: int, size: int) -> tuple[slice, slice]:
    """The j in [0, width) for which j + shift is in [0, size), and these j + shift, as slices."""
    start, stop = max(0, -shift), min(width, size - shift)
    return slice(start, stop), slice(start + shift, stop + shift)


def kernel_matrix(w: Array) -> Array:
    """w: (O, C, kh, kw). The matrix m: (O, kh·kw·C)."""
    return np.ascontiguousarray(w.transpose(0, 2, 3, 1).reshape(len(w), -1))


def flipped(w: Array) -> Array:
    """w: (O, C, kh, kw) → (C, O, kh, kw), rotated by 180°: the kernel that convolves dz to dx."""
    return w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
