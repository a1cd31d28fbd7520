"""Convolution, ReLU and 2 × 2 max pooling at once, a picture at a time, with threads over the pictures.

Only the pooled values and one byte for each of them are kept: who of the four won (0 to 3, in reading order), or
4 where ReLU cut it off. That byte is all that the backward pass needs besides x and w.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.operation import Arguments, Backward

BAND_BYTES = 1 << 19  # a band of convolved rows that stays in a core's second-level cache
CUT = 4


def _covered(call: Arguments) -> bool:
    square = call.w.shape[2] == call.w.shape[3]
    return (
        call.stride == 1
        and call.window == 2
        and call.pool_stride in (None, 2)
        and square
        and call.padding < call.w.shape[2]
    )


@ops.conv2d_relu_maxpool2d.implementation("fused", device="cpu", priority=10, supports=_covered)
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
    """Convolve a band of rows, pool it while it is in the cache, and keep a quarter of the numbers and no others.

    Faster than the three in sequence, which are bound by memory: none of the large arrays in between is ever
    written. Bias and ReLU come after the maximum, on a quarter of the numbers; as both keep the order of
    numbers, the value is the same. z lies in memory as (N, H', O, W').
    """
    (count, channels, *_), (out_channels, _, *kernel) = x.shape, w.shape
    height, width = ((x.shape[2 + i] + 2 * padding - kernel[i] + 1) // 2 for i in (0, 1))
    matrix = kernel_matrix(w)
    bias = np.zeros(out_channels, x.dtype) if b is None else b
    z = empty((count, height, out_channels, width), x.dtype)
    winner = empty(z.shape, np.uint8)

    def forward_part(part: slice) -> None:
        rows = Rows(channels, x.shape[2:], kernel, padding, x.dtype)
        band = max(1, BAND_BYTES // (2 * out_channels * rows.width * x.itemsize))
        convolved = empty((2 * band, out_channels, rows.width), x.dtype)
        for n in range(part.start, part.stop):
            windows = rows.lay_out(x[n])
            for start in range(0, height, band):
                stop = min(start + band, height)
                out = convolved[: 2 * (stop - start)]
                np.matmul(matrix, windows[2 * start : 2 * stop], out=out)
                _pool(out[..., : 2 * width], bias, z[n, start:stop], winner[n, start:stop])

    over_batch(count, forward_part)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        flipped = kernel_matrix(w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
        dx = empty((count, x.shape[2], channels, x.shape[3]), x.dtype) if need_dx else None

        def backward_part(part: slice) -> tuple[Array, Array]:
            columns = Columns(channels, x.shape[2:], kernel, padding, x.dtype)
            before_pool = np.zeros((out_channels, *columns.shape), x.dtype)
            # The gradient of a convolution is a convolution with the kernel turned round.
            rows = Rows(out_channels, columns.shape, kernel, kernel[0] - 1 - padding, x.dtype)
            dw, db = np.zeros((kernel[0], out_channels, kernel[1] * channels), x.dtype), np.zeros(out_channels, x.dtype)
            for n in range(part.start, part.stop):
                db += _unpool(dz[n], winner[n].transpose(1, 0, 2), before_pool[:, : 2 * height, : 2 * width])
                flat = before_pool.reshape(out_channels, -1)
                for u, seen in enumerate(columns.lay_out(x[n])):
                    dw[u] += flat @ seen.T
                if dx is not None:
                    np.matmul(flipped, rows.lay_out(before_pool), out=dx[n])
            return dw, db

        dws, dbs = zip(*over_batch(count, backward_part), strict=True)
        dw = np.sum(dws, axis=0).reshape(kernel[0], out_channels, kernel[1], channels).transpose(1, 3, 0, 2)
        return None if dx is None else dx.transpose(0, 2, 1, 3), dw, None if b is None else np.sum(dbs, axis=0)

    return z.transpose(0, 2, 1, 3), backward


class Rows:
    """Windows as matrices, one for each output row, from kw shifted copies of the picture and no more.

    Stored (H + 2p, kw, C, W'): what output row i sees, the padded rows i … i + kh − 1, lies in one piece, and
    neighbouring rows share all but one. So H' matrices (kh·kw·C, W') overlap in memory.
    """

    def __init__(self, channels: int, size: tuple[int, ...], kernel: list[int], padding: int, dtype: np.dtype) -> None:
        padded, self.width = size[0] + 2 * padding, size[1] + 2 * padding - kernel[1] + 1
        # Zeros once: what lies outside the picture is never written.
        self.store = np.zeros((padded, kernel[1], channels, self.width), dtype)
        self.padding, self.size = padding, size
        step, _, stride, item = self.store.strides
        shape = (padded - kernel[0] + 1, kernel[0] * kernel[1] * channels, self.width)
        self.windows = as_strided(self.store, shape, (step, stride, item))

    def lay_out(self, picture: Array) -> Array:
        """picture: (C, H, W). The matrices: (H', kh·kw·C, W')."""
        inner = self.store[self.padding : self.padding + self.size[0]]
        for v in range(inner.shape[1]):
            into, seen = _overlap(v - self.padding, self.width, self.size[1])
            inner[:, v, :, into] = picture[:, :, seen].transpose(1, 0, 2)
        return self.windows


class Columns:
    """Windows as one matrix for each kernel row, whose columns are all output pixels.

    Stored (kw, C, H + 2p, W'): kernel row u sees the same numbers as row 0, u·W' further on.
    """

    def __init__(self, channels: int, size: tuple[int, ...], kernel: list[int], padding: int, dtype: np.dtype) -> None:
        self.shape = tuple(size[i] + 2 * padding - kernel[i] + 1 for i in (0, 1))
        self.store = np.zeros((kernel[1], channels, size[0] + 2 * padding, self.shape[1]), dtype)
        self.padding, self.size, self.kernel = padding, size, kernel

    def lay_out(self, picture: Array) -> list[Array]:
        """picture: (C, H, W). A matrix (kw·C, H'·W') for each kernel row."""
        for v, store in enumerate(self.store):
            into, seen = _overlap(v - self.padding, self.shape[1], self.size[1])
            store[:, self.padding : self.padding + self.size[0], into] = picture[:, :, seen]
        flat = self.store.reshape(self.kernel[1] * self.store.shape[1], -1)
        length = self.shape[0] * self.shape[1]
        return [flat[:, u * self.shape[1] : u * self.shape[1] + length] for u in range(self.kernel[0])]


def _overlap(shift: int, width: int, size: int) -> tuple[slice, slice]:
    """Where j and j + shift are inside 0 … width − 1 and 0 … size − 1: the slices of j, and of j + shift."""
    start, stop = max(0, -shift), min(width, size - shift)
    return slice(start, stop), slice(start + shift, stop + shift)


def kernel_matrix(w: Array) -> Array:
    """w: (O, C, kh, kw), as the matrix (O, kh·kw·C) that fits the order of `Rows`."""
    return np.ascontiguousarray(w.transpose(0, 2, 3, 1).reshape(len(w), -1))


def _pool(rows: Array, bias: Array, z: Array, winner: Array) -> None:
    """rows: (2h, O, 2w) → z (h, O, w), the largest of each 2 × 2, with bias and ReLU; winner (h, O, w), 0 to 4."""
    upper, lower = rows[0::2], rows[1::2]
    is_lower = lower > upper
    best = np.maximum(upper, lower)  # rows first: the long contiguous axis stays whole
    left, right = best[..., 0::2], best[..., 1::2]
    left_lower, right_lower = is_lower[..., 0::2], is_lower[..., 1::2]
    # Of equals the first in reading order wins: the right one also when it is above the left one.
    is_right = (right > left) | ((right == left) & left_lower & ~right_lower)
    np.maximum(left, right, out=z)
    z += bias[:, None]
    # Computed, because to choose by a mask costs NumPy twenty times as much.
    who_lower = (left_lower & ~is_right) | (right_lower & is_right)
    np.multiply(who_lower, np.uint8(2), out=winner)
    winner += is_right
    np.maximum(winner, (z <= 0).view(np.uint8) * np.uint8(CUT), out=winner)
    np.maximum(z, 0, out=z)


def _unpool(dz: Array, winner: Array, out: Array) -> Array:
    """Put each gradient dz (O, h, w) where its winner was, in out (O, 2h, 2w); returns their sums (O,)."""
    for k, (u, v) in enumerate(np.ndindex(2, 2)):
        np.multiply(dz, winner == k, out=out[:, u::2, v::2])
    return (dz * (winner != CUT)).sum(axis=(1, 2))
