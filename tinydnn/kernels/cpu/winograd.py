"""Winograd's minimal filtering F(4 × 2, 3 × 3): four rows and two columns of a convolution from 24 products, not 72.

A tile of 4 × 2 sums y sees 6 × 4 pixels d. What neighbours share is added up before it is multiplied by the kernel g:

    y = Aᵀ · [(G · g · G₂ᵀ) ⊙ (Bᵀ · d · B₂)] · A₂

with A, B, G for the rows and A₂, B₂, G₂ for the columns. Over channels the products ⊙ become 24 matrix products. All of
it is linear but for ⊙, so the gradients are the same matrices turned round: with dm = A · dy · A₂ᵀ,

    dg = Gᵀ · [dm ⊙ (Bᵀ · d · B₂)] · G₂,      dd = B · [dm ⊙ (G · g · G₂ᵀ)] · B₂ᵀ

Two columns are what 2 × 2 pooling compares; so the four that it compares come out as four contiguous arrays.

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

# The points 0, 1, −1, 2, −2 and ∞ for rows; 0, 1, −1 and ∞ for columns, where A₂ and B₂ are written out below.
A: Array = np.array([[1, 0, 0, 0], [1, 1, 1, 1], [1, -1, 1, -1], [1, 2, 4, 8], [1, -2, 4, -8], [0, 0, 0, 1]])
B: Array = np.array([
    [4, 0, 0, 0, 0, 0], [0, -4, 4, -2, 2, 4], [-5, -4, -4, -1, -1, 0],
    [0, 1, -1, 2, -2, -5], [1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 1],
])  # fmt: skip
G: Array = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
G2: Array = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2


def at_points(w: Array) -> Array:
    """G · w · G₂ᵀ: the kernel (O, C, 3, 3) at the 6 · 4 points, (6, 4, O, C)."""
    return _both_ways(G, G2, w.transpose(2, 3, 0, 1))


def from_points(du: Array) -> Array:
    """Gᵀ · du · G₂: the way back, for a gradient (6, 4, O, C) → (O, C, 3, 3)."""
    return np.ascontiguousarray(_both_ways(G.T, G2.T, du).transpose(2, 3, 0, 1))


def _both_ways(left: Array, right: Array, x: Array) -> Array:
    """Left · x · rightᵀ over the first two axes of x."""

    def product(_: slice) -> Array:
        rows = np.tensordot(left.astype(x.dtype), x, (1, 0))
        return np.matmul(right.astype(x.dtype), rows.reshape(*rows.shape[:2], -1)).reshape(-1, len(right), *x.shape[2:])

    # Not with the BLAS's own threads, which would go on spinning on the cores that are needed next.
    return over_batch(1, product)[0]


def two_columns(m: Array, z: Array) -> None:
    """From the points m (6, 4, …) the columns z = m · A₂, (6, 2, …)."""
    np.add(m[:, 1], m[:, 2], out=z[:, 0])
    z[:, 0] += m[:, 0]
    np.subtract(m[:, 1], m[:, 2], out=z[:, 1])
    z[:, 1] -= m[:, 3]


def four_points(dz: Array, dm: Array) -> None:
    """From the columns' gradient that of the points, dm = dz · A₂ᵀ."""
    dm[:, 0] = dz[:, 0]
    np.add(dz[:, 0], dz[:, 1], out=dm[:, 1])
    np.subtract(dz[:, 0], dz[:, 1], out=dm[:, 2])
    np.negative(dz[:, 1], out=dm[:, 3])


class Pixels:
    """The pixels of a picture at the points, band after band of tiles, or their gradient on its way back.

    Tiles (q, j) of a band see rows 4q … 4q + 5 and columns 2j … 2j + 3 of the padded picture. So its windows are
    (6, 4, C, tiles down, tiles across). Even and odd columns lie apart, so that neighbours in j are neighbours in
    memory.
    """

    def __init__(self, channels: int, size: list[int], padding: int, tiles: tuple[int, int, int], dtype: Any) -> None:
        """size: of the picture. tiles: how many bands, and tiles down and across a band."""
        bands, down, across = tiles
        rows, columns = max(4 * bands * down + 2, size[0] + 2 * padding), size[1] + 2 * padding
        # Zeros once: what lies outside the picture is never written.
        self.padded = zeros((2, channels, rows, (columns + 1) // 2), dtype)
        self.padding, self.size, self.b = padding, size, B.astype(dtype)
        self.windows = empty((6, 4, channels, down, across), dtype)
        self.points = empty((6, 4, channels, down * across), dtype)
        self._kept = empty((6, channels, down * across), dtype)

    def take(self, picture: Array) -> None:
        """picture: (C, H, W)."""
        for inside, columns in self._halves():
            inside[...] = picture[:, :, columns]

    def at_points(self, k: int) -> Array:
        """Bᵀ · d · B₂ of the tiles of band k: (6, 4, C, tiles)."""
        self.windows.reshape(6, 2, 2, *self.windows.shape[2:])[...] = self._overlapping(k)
        np.matmul(self.b.T, self.windows.reshape(6, -1), out=self.points.reshape(6, -1))
        first, second, third, fourth = (self.points[:, k] for k in range(4))
        np.subtract(third, second, out=self._kept)
        first -= third
        np.subtract(second, fourth, out=fourth)
        second += third
        third[...] = self._kept
        return self.points

    def add_from_points(self, k: int) -> None:
        """Of gradients: add B · `points` · B₂ᵀ where the windows of band k lie. `points` are used up."""
        first, second, third, fourth = (self.points[:, k] for k in range(4))
        np.subtract(second, third, out=self._kept)
        third += second
        third -= first
        np.add(self._kept, fourth, out=second)
        np.negative(fourth, out=fourth)
        np.matmul(self.b, self.points.reshape(6, -1), out=self.windows.reshape(6, -1))
        to, windows = self._overlapping(k), self.windows.reshape(6, 2, 2, *self.windows.shape[2:])
        for rows in (slice(0, 4), slice(4, 6)):  # rows 4 and 5, and columns 2 and 3, are the next tile's too
            for columns in (0, 1):
                to[rows, columns] += windows[rows, columns]

    def give(self, dx: Array) -> None:
        """Of gradients: write the picture's, (C, H, W), and begin anew."""
        for inside, columns in self._halves():
            dx[:, :, columns] = inside
        self.padded.fill(0)

    def _halves(self) -> Iterator[tuple[Array, slice]]:
        """Even and odd columns of the padded picture, where it is the picture; and which of its columns these are."""
        (height, width), padding = self.size, self.padding
        for parity in (0, 1):
            first = (parity - padding) % 2
            start = (first + padding) // 2
            stop = start + (width - first + 1) // 2
            yield self.padded[parity, :, padding : padding + height, start:stop], slice(first, None, 2)

    def _overlapping(self, k: int) -> Array:
        """The windows of band k where they lie, (6, 2, 2, C, down, across): (s, t) is a window's column 2s + t."""
        _, _, channels, down, across = self.windows.shape
        by_parity, by_channel, by_row, item = self.padded.strides
        strides = by_row, item, by_parity, by_channel, 4 * by_row, item
        return as_strided(self.padded[:, :, 4 * k * down :], (6, 2, 2, channels, down, across), strides)
