"""Winograd's convolution compiled: loops over blocks of tiles, around what stays in registers."""

from functools import cache
from typing import Any, NamedTuple

from tinydnn.backend import Array
from tinydnn.kernels.numba.jit import compiled
from tinydnn.kernels.numba.simd.layout import Pictures, copy_vector, number_at
from tinydnn.kernels.numba.simd.transforms import (
    POINTS,
    TILES,
    multiply,
    transform_back,
    transform_kernel,
    transform_pixels,
)


class Tiled(NamedTuple):
    """A batch in tiles: how many down and across a picture, padding, tiles in a block, vectors of channels in and out
    of them, lanes of a vector, and pixels of a tile's side that come out (4, or 2 where they are pooled).
    """

    down: int
    across: int
    padding: int
    block: int
    chunks: int
    groups: int
    vectors: int
    lanes: int
    side: int


@compiled
def kernel_points(
    w: Pictures, first: int, last: int, group: int, store: Array, u: Array, chunks: int, lanes: int
) -> None:
    """The kernel (O, C, 3, 3) at the 36 points: u (36, groups, C, group), for the groups `first` … `last − 1`."""
    out_channels, channels, _, _ = w.shape
    by_out, by_channel, by_row, by_column = w.strides
    u_step = u.size // POINTS
    for g in range(first, last):
        for c in range(channels):
            for o in range(min(group, out_channels - g * group)):
                source = w.address + (g * group + o) * by_out + c * by_channel
                for i in range(3):
                    for j in range(3):
                        store[(3 * i + j) * group + o] = number_at(store, source + i * by_row + j * by_column)
            for t in range(0, group, lanes):
                at = (g * chunks * lanes + c) * group + t
                transform_kernel(store, t, group, u, at, u_step)


@compiled
def _gather(x: Pictures, n: int, top: int, left: int, store: Array, channels: int, lanes: int) -> None:
    """The 6 × 6 pixels from (top, left) on, zeros outside the picture, to `store` (6, 6, channels)."""
    _, count, height, width = x.shape
    _, by_channel, by_row, by_column = x.strides
    whole = count // lanes * lanes if by_channel == store.itemsize else 0
    for i in range(6):
        for j in range(6):
            at = (6 * i + j) * channels
            if 0 <= top + i < height and 0 <= left + j < width:
                source = x.address + n * x.strides[0] + (top + i) * by_row + (left + j) * by_column
                for c in range(0, whole, lanes):
                    copy_vector(store, at + c, source + c * store.itemsize)
                for c in range(whole, count):
                    store[at + c] = number_at(store, source + c * by_channel)
            else:
                store[at : at + count] = 0


@cache
def forward_kernel(finish: int, vectors: int) -> Any:
    """The convolution of pictures `start` … `stop − 1`.

    finish: as `transform_back` takes it. gathered: the address of `store`, for pixels that are not all in the picture.
    """

    @compiled
    def forward(
        x: Pictures, start: int, stop: int, store: Array, gathered: int, v: Array, m: Array, u: Array, bias: Array,
        z: Array, winner: Array, tiled: Tiled,
    ) -> None:  # fmt: skip
        _, count, height, width = x.shape
        lanes, group = tiled.lanes, vectors * tiled.lanes
        channels, out_channels = tiled.chunks * lanes, tiled.groups * group
        contiguous = x.strides[1] == store.itemsize and count == channels
        v_point = (tiled.chunks + 1) * TILES * lanes  # one more than is needed, or all points would share a cache line
        m_point = group + lanes
        u_point = u.size // POINTS
        z_column, z_row = out_channels, tiled.across * tiled.side * out_channels
        each = tiled.down * tiled.across
        for first in range(start * each, stop * each, tiled.block):
            last = min(first + tiled.block, stop * each)
            for tile in range(first, last):
                n, place = tile // each, tile % each
                top = place // tiled.across * 4 - tiled.padding
                left = place % tiled.across * 4 - tiled.padding
                row, column = x.strides[2], x.strides[3]
                address = x.address + n * x.strides[0] + top * row + left * column
                if not contiguous or top < 0 or left < 0 or top + 6 > height or left + 6 > width:
                    row, column = 6 * channels * store.itemsize, channels * store.itemsize
                    address = gathered
                    _gather(x, n, top, left, store, channels, lanes)
                k = tile - first
                to = k // TILES * POINTS * v_point + k % TILES * lanes
                for c in range(tiled.chunks):
                    transform_pixels(
                        address + c * lanes * store.itemsize, row, column, v, to + c * TILES * lanes, v_point
                    )
            for g in range(tiled.groups):
                for point in range(POINTS):
                    for k in range(0, last - first, TILES):
                        multiply(
                            v, (k // TILES * POINTS + point) * v_point, tiled.chunks,
                            u, point * u_point + g * channels * group,
                            m, (k * POINTS + point) * m_point, POINTS * m_point, vectors,
                        )  # fmt: skip
                for tile in range(first, last):
                    n, place = tile // each, tile % each
                    i, j = place // tiled.across, place % tiled.across
                    z_at = ((n * tiled.down + i) * tiled.side * z_row) + j * tiled.side * z_column + g * group
                    for t in range(0, group, lanes):
                        transform_back(
                            m, (tile - first) * POINTS * m_point + t, m_point, bias, g * group + t,
                            z, winner, z_at + t, z_row, z_column, finish,
                        )  # fmt: skip

    return forward
