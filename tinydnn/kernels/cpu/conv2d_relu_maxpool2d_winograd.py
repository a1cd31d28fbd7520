"""The fused block for 3 × 3 kernels with a third of the multiplications, with threads over the images."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu import winograd
from tinydnn.kernels.cpu.memory import empty
from tinydnn.kernels.cpu.pool2x2 import CUT, copy_rows, pool_phases, pools_2x2, unpool
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.implementation import Arguments, Backward, Bias

BAND_BYTES = 1 << 20  # a band of windows, with all that is computed from it, stays in the caches


def _supports(arguments: Arguments) -> bool:
    return arguments.stride == 1 and arguments.w.shape[2:] == (3, 3) and pools_2x2(arguments)


@ops.conv2d_relu_maxpool2d.implementation("winograd", device="cpu", priority=12, supports=_supports)
def conv2d_relu_maxpool2d(
    x: Array, w: Array, b: Bias, *, stride: int = 1, padding: int = 0, window: int = 2, pool_stride: int | None = None
) -> tuple[Array, Backward]:
    """Compute tiles of 4 × 2 pixels y by Winograd's filtering (`tinydnn.kernels.cpu.winograd`), and pool them at once.

    Faster than the direct form, in which matrix products are most of the work: a tile takes 24 of them, over channels
    alone, instead of 72. Sums that are equal in theory may differ in the last bit, so ties may go to another pixel
    than the first. z is (N, H', O, W') in memory.
    """
    (count, channels, *size), out_channels, dtype = x.shape, len(w), x.dtype
    height, width = ((size[i] + 2 * padding - 2) // 2 for i in (0, 1))  # pooled
    down = (height + 1) // 2  # tiles, of two pooled rows and one pooled column each
    bands = max(1, round(24 * channels * down * width * x.itemsize / BAND_BYTES))
    band = -(-down // bands)  # rows of tiles; the last band may extend below the image
    grid, a, u = (bands, band, width), winograd.A.astype(dtype), winograd.transform_kernel(w)
    z = empty((count, bands, band, 2, out_channels, width), dtype)
    winner = empty((count, bands, 2, out_channels, band * width), np.uint8)

    def workspace(rows: int, columns: int) -> Array:
        """An array of rows × columns elements for each output channel and tile of a band."""
        return empty((rows, columns, out_channels, band * width), dtype)

    def forward_part(part: slice) -> None:
        tiles, best = winograd.Tiles(channels, size, padding, grid, dtype), empty(winner.shape[2:], dtype)
        m, s, y = workspace(6, 4), workspace(6, 2), workspace(2, 4)
        for n in range(part.start, part.stop):
            tiles.load(x[n])
            for k in range(bands):
                np.matmul(u, tiles.transform(k), out=m)
                winograd.columns_from_products(m, s)
                np.matmul(a.T, s.reshape(6, -1), out=y.reshape(4, -1))
                pool_phases(y.swapaxes(0, 1), b, best, winner[n, k])
                z[n, k] = best.reshape(2, out_channels, band, width).transpose(2, 0, 1, 3)

    over_batch(count, forward_part)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        dx = empty(x.shape, dtype) if need_dx else None

        def backward_part(part: slice) -> tuple[Array, Array]:
            tiles, dtiles = (winograd.Tiles(channels, size, padding, grid, dtype) for _ in range(2))
            dpooled, dy, ds, dm = empty(winner.shape[2:], dtype), workspace(2, 4), workspace(6, 2), workspace(6, 4)
            du, du_band, db = np.zeros_like(u), empty(u.shape, dtype), np.zeros(out_channels, dtype)
            for n in range(part.start, part.stop):
                tiles.load(x[n])
                for k in range(bands):
                    for i, rows in enumerate(dpooled.reshape(2, out_channels, band, width)):
                        copy_rows(dz[n, :, 2 * k * band + i : 2 * (k + 1) * band : 2], rows)
                    unpool(dpooled, winner[n, k], dy.swapaxes(0, 1))
                    db += (dpooled * (winner[n, k] != CUT)).sum(axis=(0, 2))
                    np.matmul(a, dy.reshape(4, -1), out=ds.reshape(6, -1))
                    winograd.products_from_columns(ds, dm)
                    du += np.matmul(dm, tiles.transform(k).swapaxes(2, 3), out=du_band)
                    if dx is not None:
                        np.matmul(u.swapaxes(2, 3), dm, out=dtiles.v)
                        dtiles.add_gradient(k)
                if dx is not None:
                    dtiles.store(dx[n])
            return du, db

        dus, dbs = zip(*over_batch(count, backward_part), strict=True)
        return dx, winograd.kernel_gradient(np.sum(dus, axis=0)), None if b is None else np.sum(dbs, axis=0)

    by_row = z.reshape(count, 2 * bands * band, out_channels, width)
    return by_row.transpose(0, 2, 1, 3)[:, :, :height], backward
