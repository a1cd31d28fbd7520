"""The fused block for 3 × 3 kernels with half the multiplications: Winograd's minimal filtering, down the columns.

Four pixels below each other see six. Direct convolution takes 12 products for them, F(4, 3) takes 6, because what the
neighbours share is added up before:

    y = Aᵀ · [(G · g) ⊙ (Bᵀ · d)]          d: 6 pixels, g: 3 weights, y: 4 sums

The products ⊙ become matrix products over channels and kernel columns. Since all of this is linear but for ⊙, the
gradients are the same matrices turned round: with dm = A · dy,

    dg = Gᵀ · [dm ⊙ (Bᵀ · d)],    dd = B · [dm ⊙ (G · g)]

Source: Winograd, Arithmetic Complexity of Computations; Lavin and Gray, Fast Algorithms for Convolutional Neural
Networks, section 4.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.conv2d_relu_maxpool2d_phases import pool, take, unpool
from tinydnn.kernels.cpu.memory import empty, zeros
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.operation import Backward

# The points 0, 1, −1, 2, −2 and ∞.
A: Array = np.array([[1, 0, 0, 0], [1, 1, 1, 1], [1, -1, 1, -1], [1, 2, 4, 8], [1, -2, 4, -8], [0, 0, 0, 1]])
B = np.array([
    [4, 0, 0, 0, 0, 0], [0, -4, 4, -2, 2, 4], [-5, -4, -4, -1, -1, 0],
    [0, 1, -1, 2, -2, -5], [1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 1],
])  # fmt: skip
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
BAND_BYTES = 1 << 20  # of windows at a time: with all that becomes of them, they stay in the caches


def _covered(
    x: Array,
    w: Array,
    b: Array | None,
    *,
    stride: int = 1,
    padding: int = 0,
    window: int = 2,
    pool_stride: int | None = None,
) -> bool:
    return stride == 1 and w.shape[2:] == (3, 3) and window == 2 and pool_stride in (None, 2)


@ops.conv2d_relu_maxpool2d.implementation("winograd", device="cpu", priority=12, supports=_covered)
def conv2d_relu_maxpool2d(
    x: Array,
    w: Array,
    b: Array | None,
    *,
    stride: int = 1,
    padding: int = 0,
    window: int = 2,
    pool_stride: int | None = None,
) -> tuple[Array, Backward]:
    """Convolve four rows by six products in place of twelve, every other column at a time, and pool at once.

    Faster than the direct form because matrix products are most of the work, and there are half as many. Odd and even
    columns apart, the four that pooling compares are contiguous arrays. Sums that are equal may differ in their last
    bit here, so of equals another than the first may win. z lies in memory as (N, H', O, W').
    """
    (count, channels, *size), out_channels, dtype = x.shape, len(w), x.dtype
    height, width = ((size[i] + 2 * padding - 2) // 2 for i in (0, 1))  # pooled
    groups = (height + 1) // 2  # of four rows, which become two
    number = max(1, round(24 * channels * groups * width * x.itemsize / BAND_BYTES))
    band = -(-groups // number)  # groups; the last band may reach beyond the picture
    room, matrix, a = (number, band, width), kernel_matrix(w), A.astype(dtype)
    one_column = matrix[:, None, :out_channels, : 3 * channels]
    z = empty((count, number, band, 2, out_channels, width), dtype)
    winner = empty((count, number, 2, out_channels, band * width), np.uint8)

    def forward_part(part: slice) -> None:
        pixels = Pixels(channels, size, padding, room, dtype)
        products = empty((6, 2, out_channels, band * width), dtype)
        four = empty((2, 4, out_channels, band * width), dtype)
        best = empty(winner.shape[2:], dtype)
        for n in range(part.start, part.stop):
            pixels.take(x[n])
            for k in range(number):
                np.matmul(one_column, two_columns(pixels.seen(k)), out=products)
                np.matmul(a.T, products.reshape(6, -1), out=four.reshape(4, -1))
                pool(four.swapaxes(0, 1), b, best, winner[n, k])
                z[n, k] = best.reshape(2, out_channels, band, width).transpose(2, 0, 1, 3)

    over_batch(count, forward_part)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        dx = empty(x.shape, dtype) if need_dx else None

        def backward_part(part: slice) -> tuple[Array, Array]:
            pixels, gradient = (Pixels(channels, size, padding, room, dtype) for _ in range(2))
            dmatrix, db = np.zeros_like(matrix), np.zeros(out_channels, dtype)
            pooled, four = empty(winner.shape[2:], dtype), empty((2, 4, out_channels, band * width), dtype)
            dproducts = empty((6, 2 * out_channels, band * width), dtype)
            for n in range(part.start, part.stop):
                pixels.take(x[n])
                for k in range(number):
                    for i, rows in enumerate(pooled.reshape(2, out_channels, band, width)):
                        take(dz[n, :, 2 * k * band + i : 2 * (k + 1) * band : 2], rows)
                    db += unpool(pooled, winner[n, k], four.swapaxes(0, 1))
                    np.matmul(a, four.reshape(4, -1), out=dproducts.reshape(6, -1))
                    dmatrix += dproducts @ pixels.seen(k).swapaxes(1, 2)
                    if dx is not None:
                        np.matmul(matrix.swapaxes(1, 2), dproducts, out=gradient.transformed)
                        gradient.add(k)
                if dx is not None:
                    gradient.give(dx[n])
            return dmatrix, db

        dmatrices, dbs = zip(*over_batch(count, backward_part), strict=True)
        return dx, kernel_gradient(np.sum(dmatrices, axis=0)), None if b is None else np.sum(dbs, axis=0)

    by_row = z.reshape(count, 2 * number * band, out_channels, width)
    return by_row.transpose(0, 2, 1, 3)[:, :, :height], backward


def kernel_matrix(w: Array) -> Array:
    """G · w for two columns of pixels beside each other, which see four: (6, 2·O, 4·C), a quarter of it zeros.

    w: (O, C, 3, 3). Even columns see the first three of the four, odd ones the last three.
    """
    u = np.tensordot(G.astype(w.dtype), w, (1, 2)).transpose(0, 1, 3, 2)  # (6, O, 3, C)
    matrix = np.zeros((6, 2, len(w), 4, w.shape[1]), w.dtype)
    matrix[:, 0, :, :3] = matrix[:, 1, :, 1:] = u
    return matrix.reshape(6, 2 * len(w), -1)


def two_columns(seen: Array) -> Array:
    """Of (6, 4·C, n), what even and what odd columns see, as two matrices that overlap: (6, 2, 3·C, n)."""
    _, rows, length = seen.shape
    by_point, by_row, item = seen.strides
    return as_strided(seen, (6, 2, rows // 4 * 3, length), (by_point, rows // 4 * by_row, by_row, item))


def kernel_gradient(dmatrix: Array) -> Array:
    """The way back: dw (O, C, 3, 3)."""
    both = dmatrix.reshape(6, 2, dmatrix.shape[1] // 2, 4, -1)
    du = both[:, 0, :, :3] + both[:, 1, :, 1:]
    return np.ascontiguousarray(np.tensordot(G.astype(du.dtype), du, (0, 0)).transpose(1, 3, 0, 2))


class Pixels:
    """The pixels of a picture as Winograd's transform takes them, band after band, or their gradient.

    A group of four convolved rows sees rows 4q … 4q + 5 of the padded picture, and two convolved columns see columns
    2j … 2j + 3. So the windows of a band are (6, 4, C, groups, w): row, column, channel, q, j. Even and odd columns
    lie apart, so that in each neighbours in j are neighbours in memory.
    """

    def __init__(self, channels: int, size: list[int], padding: int, room: tuple[int, int, int], dtype: Any) -> None:
        number, groups, width = room
        rows, columns = max(4 * number * groups + 2, size[0] + 2 * padding), size[1] + 2 * padding
        # Zeros once: what lies outside the picture is never written.
        self.padded = zeros((2, channels, rows, (columns + 1) // 2), dtype)
        self.padding, self.size, self.b = padding, size, B.astype(dtype)
        self.plain = empty((6, 4, channels, groups, width), dtype)
        self.transformed = empty((6, 4 * channels, groups * width), dtype)

    def take(self, picture: Array) -> None:
        """picture: (C, H, W)."""
        for inside, columns in self._halves():
            inside[...] = picture[:, :, columns]

    def seen(self, k: int) -> Array:
        """Bᵀ · d of band k: (6, 4·C, groups·w)."""
        self.plain.reshape(6, 2, 2, *self.plain.shape[2:])[...] = self._windows(k)
        np.matmul(self.b.T, self.plain.reshape(6, -1), out=self.transformed.reshape(6, -1))
        return self.transformed

    def add(self, k: int) -> None:
        """Where these are gradients: B · `transformed` to where the windows of band k lie."""
        np.matmul(self.b, self.transformed.reshape(6, -1), out=self.plain.reshape(6, -1))
        windows, of = self._windows(k), self.plain.reshape(6, 2, 2, *self.plain.shape[2:])
        for rows in (slice(0, 4), slice(4, 6)):  # windows overlap: rows 4 and 5, columns 2 and 3 are the next one's
            for columns in (0, 1):
                windows[rows, columns] += of[rows, columns]

    def give(self, dx: Array) -> None:
        """Write the gradient (C, H, W), and begin anew."""
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

    def _windows(self, k: int) -> Array:
        """The windows (6, 2, 2, C, groups, w) of band k, as they overlap: the column 2s + t of a window is (s, t)."""
        _, _, channels, groups, width = self.plain.shape
        by_parity, by_channel, by_row, item = self.padded.strides
        strides = by_row, item, by_parity, by_channel, 4 * by_row, item
        return as_strided(self.padded[:, :, 4 * k * groups :], (6, 2, 2, channels, groups, width), strides)
