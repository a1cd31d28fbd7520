"""The fused block for 3 × 3 kernels with a third of the multiplications, with threads over the pictures."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.conv2d_relu_maxpool2d_phases import pool, take, unpool
from tinydnn.kernels.cpu.memory import empty
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.kernels.cpu.winograd import A, Pixels, at_points, four_points, from_points, two_columns
from tinydnn.ops.operation import Arguments, Backward

BAND_BYTES = 1 << 20  # of windows at a time: with all that becomes of them, they stay in the caches


def _covered(call: Arguments) -> bool:
    return call.stride == 1 and call.w.shape[2:] == (3, 3) and call.window == 2 and call.pool_stride in (None, 2)


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
    """Make four rows and two columns of pixels from a third of the products, and pool them where they come out.

    Faster than the direct form because matrix products are most of the work. Here there are 24 for each tile of 4 × 2
    pixels, over channels alone, in place of 72. Sums that are equal may differ in their last bit, so of equals another
    than the first may win. z lies in memory as (N, H', O, W').
    """
    (count, channels, *size), out_channels, dtype = x.shape, len(w), x.dtype
    height, width = ((size[i] + 2 * padding - 2) // 2 for i in (0, 1))  # pooled
    down = (height + 1) // 2  # tiles, of two pooled rows and one pooled column each
    bands = max(1, round(24 * channels * down * width * x.itemsize / BAND_BYTES))
    band = -(-down // bands)  # tiles; the last band may reach beyond the picture
    tiles, a, u = (bands, band, width), A.astype(dtype), at_points(w)
    z = empty((count, bands, band, 2, out_channels, width), dtype)
    winner = empty((count, bands, 2, out_channels, band * width), np.uint8)

    def room(points: int, columns: int) -> Array:
        """For all tiles of a band and all output channels."""
        return empty((points, columns, out_channels, band * width), dtype)

    def forward_part(part: slice) -> None:
        pixels, best = Pixels(channels, size, padding, tiles, dtype), empty(winner.shape[2:], dtype)
        products, columns, four = room(6, 4), room(6, 2), room(2, 4)
        for n in range(part.start, part.stop):
            pixels.take(x[n])
            for k in range(bands):
                np.matmul(u, pixels.at_points(k), out=products)
                two_columns(products, columns)
                np.matmul(a.T, columns.reshape(6, -1), out=four.reshape(4, -1))
                pool(four.swapaxes(0, 1), b, best, winner[n, k])
                z[n, k] = best.reshape(2, out_channels, band, width).transpose(2, 0, 1, 3)

    over_batch(count, forward_part)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        dx = empty(x.shape, dtype) if need_dx else None

        def backward_part(part: slice) -> tuple[Array, Array]:
            pixels, gradient = (Pixels(channels, size, padding, tiles, dtype) for _ in range(2))
            pooled, four, dcolumns, dproducts = empty(winner.shape[2:], dtype), room(2, 4), room(6, 2), room(6, 4)
            du, of_band, db = np.zeros_like(u), empty(u.shape, dtype), np.zeros(out_channels, dtype)
            for n in range(part.start, part.stop):
                pixels.take(x[n])
                for k in range(bands):
                    for i, rows in enumerate(pooled.reshape(2, out_channels, band, width)):
                        take(dz[n, :, 2 * k * band + i : 2 * (k + 1) * band : 2], rows)
                    db += unpool(pooled, winner[n, k], four.swapaxes(0, 1))
                    np.matmul(a, four.reshape(4, -1), out=dcolumns.reshape(6, -1))
                    four_points(dcolumns, dproducts)
                    du += np.matmul(dproducts, pixels.at_points(k).swapaxes(2, 3), out=of_band)
                    if dx is not None:
                        np.matmul(u.swapaxes(2, 3), dproducts, out=gradient.points)
                        gradient.add_from_points(k)
                if dx is not None:
                    gradient.give(dx[n])
            return du, db

        dus, dbs = zip(*over_batch(count, backward_part), strict=True)
        return dx, from_points(np.sum(dus, axis=0)), None if b is None else np.sum(dbs, axis=0)

    by_row = z.reshape(count, 2 * bands * band, out_channels, width)
    return by_row.transpose(0, 2, 1, 3)[:, :, :height], backward
