"""The fused block compiled: loops over pictures, bands of rows and tiles, around what stays in registers."""

from functools import cache
from typing import Any, NamedTuple

from tinydnn.backend import Array
from tinydnn.kernels.numba.jit import compiled
from tinydnn.kernels.numba.simd.layout import Pictures, Planes, lay_out, move_up, take_out
from tinydnn.kernels.numba.simd.tiles import TILE, pooled_tile
from tinydnn.kernels.numba.simd.winners import follow_winners, winners_of_one_channel


class Pooled(NamedTuple):
    """What comes out: pooled rows, columns and channels as they lie in memory, how many count, and rows in a band."""

    height: int
    columns: int
    channels: int
    width: int
    out_channels: int
    band: int


@cache
def forward_kernel(one_channel: bool, vectors: int) -> Any:
    """The forward pass over pictures `start` … `stop − 1`."""
    pixels = TILE // (4 * vectors)  # pooled ones in a tile

    @compiled
    def forward(
        x: Pictures, start: int, stop: int, store: Array, layout: Planes,
        w: Array, kh: int, kw: int, group: int, bias: Array, z: Array, winner: Array, pooled: Pooled,
    ) -> None:  # fmt: skip
        size = layout.number * kh * kw * layout.chunk * group  # the weights of a group of output channels
        for n in range(start, stop):
            for first in range(0, pooled.height, pooled.band):
                last = min(first + pooled.band, pooled.height)
                lay_out(x, n, 2 * first, 2 * (last - first) + kh - 1, store, layout)
                for i in range(first, last):
                    for o in range(0, pooled.channels, group):
                        for j in range(0, pooled.columns, pixels):
                            x_at = 2 * (i - first) * layout.row + 2 * j * layout.chunk
                            z_at = ((n * pooled.height + i) * pooled.columns + j) * pooled.channels + o
                            pooled_tile(
                                store, x_at, layout, w, o // group * size, kh, kw, bias, o,
                                z, winner, z_at, pooled.channels, one_channel, vectors,
                            )  # fmt: skip

    return forward


@cache
def backward_kernel(kh: int, kw: int, need_dx: bool) -> Any:
    """The backward pass over pictures `start` … `stop − 1`."""

    @compiled
    def backward(
        x: Pictures, start: int, stop: int, store: Array, layout: Planes,
        dz: Pictures, dz_row: Array, dz_layout: Planes, winner: Array, pooled: Pooled,
        w: Array, dw: Array, db: Array, dstore: Array, dx: Array, places: Array, gradients: Array, counts: Array,
    ) -> None:  # fmt: skip
        taps = kh * kw * layout.chunk
        for n in range(start, stop):
            if need_dx:
                dstore[:] = 0
            for first in range(0, pooled.height, pooled.band):
                last = min(first + pooled.band, pooled.height)
                rows = 2 * (last - first)
                lay_out(x, n, 2 * first, rows + kh - 1, store, layout)
                for i in range(first, last):
                    lay_out(dz, n, i, 1, dz_row, dz_layout)
                    won = (n * pooled.height + i) * pooled.columns * pooled.channels
                    for o in range(pooled.out_channels):
                        g_at = o // dz_layout.chunk * dz_layout.plane + o % dz_layout.chunk
                        count, total, begin = 0, dz_row[0] * 0, o * pooled.width
                        # Neighbours' windows overlap: every other pixel first, so that no sum waits for the one before.
                        for parity in range(2):
                            for j in range(parity, pooled.width, 2):
                                who = winner[won + j * pooled.channels + o]
                                places[begin + count] = (2 * (i - first) + (who >> 1)) * layout.row + (
                                    2 * j + (who & 1)
                                ) * layout.chunk
                                gradients[begin + count] = dz_row[g_at + j * dz_layout.chunk]
                                count += who < 4  # who was cut off is written over by the next
                        for k in range(begin, begin + count):
                            total += gradients[k]
                        counts[o] = count
                        db[o] += total
                    for k in range(layout.number):
                        for o in range(pooled.out_channels):
                            follow_winners(
                                store, dstore, k * layout.plane, layout.row, w, dw, (o * layout.number + k) * taps,
                                places, gradients, o * pooled.width, counts[o], kh, kw, need_dx,
                            )  # fmt: skip
                if need_dx:
                    # Later bands add to the last kh − 1 rows. A row that no window reaches may follow the last band.
                    final = rows if last < pooled.height else rows + kh
                    take_out(dstore, layout, 2 * first, final, dx, n)
                    move_up(dstore, layout, rows + kh - 1, kh - 1)

    return backward


@cache
def first_backward_kernel(kh: int, kw: int) -> Any:
    """The backward pass of a block that sees one channel and need not know its gradient."""

    @compiled
    def backward(
        x: Pictures, start: int, stop: int, store: Array, layout: Planes,
        dz: Pictures, dz_row: Array, dz_layout: Planes, winner: Array, pooled: Pooled, dw: Array, db: Array,
    ) -> None:  # fmt: skip
        for n in range(start, stop):
            for first in range(0, pooled.height, pooled.band):
                last = min(first + pooled.band, pooled.height)
                lay_out(x, n, 2 * first, 2 * (last - first) + kh - 1, store, layout)
                for i in range(first, last):
                    lay_out(dz, n, i, 1, dz_row, dz_layout)
                    won = (n * pooled.height + i) * pooled.columns * pooled.channels
                    for k in range(dz_layout.number):
                        o = k * dz_layout.chunk
                        winners_of_one_channel(
                            store, 2 * (i - first) * layout.row, layout.row, winner, won + o, pooled.channels,
                            dz_row, k * dz_layout.plane, dz_layout.chunk, pooled.width, dw, o * kh * kw, db, o, kh, kw,
                        )  # fmt: skip

    return backward
