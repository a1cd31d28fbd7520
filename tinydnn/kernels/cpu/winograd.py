"""Winograd's minimal filtering F(4 × 2, 3 × 3): 4 × 2 pixels of a convolution from 24 products, not 72.

A tile y of 4 × 2 output pixels depends on a window d of 6 × 4 input pixels and on the kernel g of 3 × 3:

    y = Aᵀ · [(G · g · G₂ᵀ) ⊙ (Bᵀ · d · B₂)] · A₂

Over channels, the products ⊙ become 24 matrix products.

Derivation in one dimension. The product s(t) = g(t)·h(t) of polynomials of degrees 2 and 3 has 6 coefficients, so its
values at 6 points p determine it; the value at p = ∞ is the leading coefficient. Toom and Cook evaluate g and h,
multiply, and interpolate (Lagrange):

    s = B · [(G · g) ⊙ (A · h)]
        row p of A:     1, p, p², p³                                          (∞: 0, 0, 0, 1)
        row p of G:     1, p, p², divided by f(p) = Π_{q≠p} (p − q)           (∞: 0, 0, 1)
        column p of B:  the coefficients of t⁰ … t⁵ in Π_{q≠p} (t − q)        (∞: in Π_q (t − q)),     with finite q

For a fixed g the map h ↦ s is linear. Its matrix is T = B · diag(G · g) · A, where T[i+k,i] = g[k] and all else is
zero. Its transpose is the correlation y[i] = Σ_k g[k]·d[i+k], from as many products (transposition principle):

    y = Tᵀ · d = Aᵀ · [(G · g) ⊙ (Bᵀ · d)]

In two dimensions, the rows and then the columns of g, d and y are transformed in this way.

    Rows, F(4, 3):                                              Columns, F(2, 3):
     p   row of A      row of G           column of B            p   row of A₂  row of G₂        column of B₂
     0   1  0  0  0    ( 1  0  0) /  4    4  0 −5  0  1  0       0   1  0       ( 1  0  0)       1  0 −1  0
     1   1  1  1  1    ( 1  1  1) / −6    0 −4 −4  1  1  0       1   1  1       ( 1  1  1) / 2   0  1  1  0
    −1   1 −1  1 −1    ( 1 −1  1) / −6    0  4 −4 −1  1  0      −1   1 −1       ( 1 −1  1) / 2   0 −1  1  0
     2   1  2  4  8    ( 1  2  4) / 24    0 −2 −1  2  1  0       ∞   0 −1       ( 0  0  1)       0  1  0 −1
    −2   1 −2  4 −8    ( 1 −2  4) / 24    0  2 −1 −2  1  0
     ∞   0  0  0  1    ( 0  0  1)         0  4  0 −5  0  1

(In F(2, 3) the signs of G₂ and B₂ at 0, and of A₂ and B₂ at ∞, are both reversed, which cancels.)

All but ⊙ is linear, so the gradients take the transposed matrices: with dm = A · dy · A₂ᵀ,

    dg = Gᵀ · [dm ⊙ (Bᵀ · d · B₂)] · G₂,      dd = B · [dm ⊙ (G · g · G₂ᵀ)] · B₂ᵀ

A tile has two columns because 2 × 2 pooling compares two: the four pixels that it compares are four contiguous arrays.

Source: Winograd, Arithmetic Complexity of Computations; Lavin and Gray, Fast Algorithms for Convolutional Neural
Networks, section 4.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty, zeros
from tinydnn.kernels.cpu.threads import over_batch

# A₂ and B₂ are sums and differences of columns, written out in the functions below.
A: Array = np.array([[1, 0, 0, 0], [1, 1, 1, 1], [1, -1, 1, -1], [1, 2, 4, 8], [1, -2, 4, -8], [0, 0, 0, 1]])
B: Array = np.array([
    [4, 0, 0, 0, 0, 0], [0, -4, 4, -2, 2, 4], [-5, -4, -4, -1, -1, 0],
    [0, 1, -1, 2, -2, -5], [1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 1],
])  # fmt: skip
G: Array = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
G2: Array = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2


def transform_kernel(w: Array) -> Array:
    """The transform u = G · g · G₂ᵀ of each 3 × 3 kernel g of w: (O, C, 3, 3) → (6, 4, O, C)."""
    return _multiply_both_sides(G, G2, w.transpose(2, 3, 0, 1))


def kernel_gradient(du: Array) -> Array:
    """The gradient dg = Gᵀ · du · G₂ of `transform_kernel`: (6, 4, O, C) → (O, C, 3, 3)."""
    return np.ascontiguousarray(_multiply_both_sides(G.T, G2.T, du).transpose(2, 3, 0, 1))


def _multiply_both_sides(left: Array, right: Array, x: Array) -> Array:
    """Left · x · rightᵀ over the first two axes of x."""

    def product(_: slice) -> Array:
        rows = np.tensordot(left.astype(x.dtype), x, (1, 0))
        return np.matmul(right.astype(x.dtype), rows.reshape(*rows.shape[:2], -1)).reshape(-1, len(right), *x.shape[2:])

    # `over_batch` limits the BLAS to one thread: its own threads would keep spinning on cores that are needed next.
    return over_batch(1, product)[0]


def columns_from_products(m: Array, s: Array) -> None:
    """Write s = m · A₂: (6, 4, …) → (6, 2, …)."""
    np.add(m[:, 1], m[:, 2], out=s[:, 0])
    s[:, 0] += m[:, 0]
    np.subtract(m[:, 1], m[:, 2], out=s[:, 1])
    s[:, 1] -= m[:, 3]


def products_from_columns(ds: Array, dm: Array) -> None:
    """Write dm = ds · A₂ᵀ: (6, 2, …) → (6, 4, …)."""
    dm[:, 0] = ds[:, 0]
    np.add(ds[:, 0], ds[:, 1], out=dm[:, 1])
    np.subtract(ds[:, 0], ds[:, 1], out=dm[:, 2])
    np.negative(ds[:, 1], out=dm[:, 3])


class Tiles:
    """The windows d of an image and their transforms v = Bᵀ · d · B₂, a band of tiles at a time; or the gradients.

    The window of tile (i, j) of a band is rows 4i … 4i + 5 and columns 2j … 2j + 3 of the padded image. Even and odd
    columns are stored apart, so that windows that are neighbours in j are contiguous.
    """

    def __init__(self, channels: int, size: list[int], padding: int, grid: tuple[int, int, int], dtype: Any) -> None:
        """size: of the image. grid: number of bands, and of tiles down and across a band."""
        bands, down, across = grid
        rows, columns = max(4 * bands * down + 2, size[0] + 2 * padding), size[1] + 2 * padding
        self._padded = zeros((2, channels, rows, (columns + 1) // 2), dtype)
        self._padding, self._size, self._b = padding, size, B.astype(dtype)
        self._d = empty((6, 4, channels, down, across), dtype)
        self.v = empty((6, 4, channels, down * across), dtype)
        self._temporary = empty((6, channels, down * across), dtype)

    def load(self, image: Array) -> None:
        """image: (C, H, W). Nothing is ever written outside it, so the padding stays zero."""
        for inside, columns in self._halves():
            inside[...] = image[:, :, columns]

    def transform(self, k: int) -> Array:
        """The transform v = Bᵀ · d · B₂ for the tiles of band k: (6, 4, C, tiles), valid until the next call."""
        self._d.reshape(6, 2, 2, *self._d.shape[2:])[...] = self._windows(k)
        np.matmul(self._b.T, self._d.reshape(6, -1), out=self.v.reshape(6, -1))
        v0, v1, v2, v3 = (self.v[:, column] for column in range(4))
        # v0, v1, v2, v3 = v0 − v2, v1 + v2, v2 − v1, v1 − v3
        np.subtract(v2, v1, out=self._temporary)
        v0 -= v2
        np.subtract(v1, v3, out=v3)
        v1 += v2
        v2[...] = self._temporary
        return self.v

    def add_gradient(self, k: int) -> None:
        """Add dd = B · dv · B₂ᵀ to the windows of band k, where `v` holds dv; it is overwritten."""
        v0, v1, v2, v3 = (self.v[:, column] for column in range(4))
        # v0, v1, v2, v3 = v0, v1 − v2 + v3, v2 + v1 − v0, −v3
        np.subtract(v1, v2, out=self._temporary)
        v2 += v1
        v2 -= v0
        np.add(self._temporary, v3, out=v1)
        np.negative(v3, out=v3)
        np.matmul(self._b, self.v.reshape(6, -1), out=self._d.reshape(6, -1))
        windows, d = self._windows(k), self._d.reshape(6, 2, 2, *self._d.shape[2:])
        for rows in (slice(0, 4), slice(4, 6)):  # rows 4 and 5, and columns 2 and 3, overlap the next tile
            for columns in (0, 1):
                windows[rows, columns] += d[rows, columns]

    def store(self, dx: Array) -> None:
        """Write the accumulated gradient of the image to dx (C, H, W), and reset it to zero."""
        for inside, columns in self._halves():
            dx[:, :, columns] = inside
        self._padded.fill(0)

    def _halves(self) -> Iterator[tuple[Array, slice]]:
        """The even and the odd columns of the padded image, inside the image; and which of its columns they are."""
        (height, width), padding = self._size, self._padding
        for parity in (0, 1):
            first = (parity - padding) % 2
            start = (first + padding) // 2
            stop = start + (width - first + 1) // 2
            yield self._padded[parity, :, padding : padding + height, start:stop], slice(first, None, 2)

    def _windows(self, k: int) -> Array:
        """The overlapping windows of band k, a view (6, 2, 2, C, down, across): (s, t) is a window's column 2s + t."""
        _, _, channels, down, across = self._d.shape
        parity, channel, row, item = self._padded.strides
        strides = row, item, parity, channel, 4 * row, item
        return as_strided(self._padded[:, :, 4 * k * down :], (6, 2, 2, channels, down, across), strides)
