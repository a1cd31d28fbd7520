"""Loops of Winograd's convolution, over blocks of tiles: transform, multiply, transform back."""

from functools import cache
from typing import Any, NamedTuple

from tinydnn.backend import Array
from tinydnn.kernels.numba.jit import compiled
from tinydnn.kernels.numba.simd.layout import StridedArray, copy_vector, element_at
from tinydnn.kernels.numba.simd.transforms import (
    POINTS,
    TILES,
    multiply,
    transform_kernel,
    transform_output,
    transform_pixels,
)


class Tiles(NamedTuple):
    """A batch in tiles.

    down, across: tiles of an image. block: tiles in a block. chunks: vectors of input channels. groups, vectors: groups
    of output channels, and vectors in a group. lanes: of a vector. side: of a tile in z, 4 pixels, or 2 pooled.
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
def transform_weights(
    w: StridedArray, first: int, last: int, group: int, workspace: Array, u: Array, chunks: int, lanes: int
) -> None:
    """G · w · Gᵀ of w (O, C, 3, 3), as u (36, groups, C, group), for the groups `first` … `last − 1`."""
    out_channels, channels, _, _ = w.shape
    by_out, by_channel, by_row, by_column = w.strides
    u_point = u.size // POINTS
    for g in range(first, last):
        for c in range(channels):
            for o in range(min(group, out_channels - g * group)):
                address = w.address + (g * group + o) * by_out + c * by_channel
                for i in range(3):
                    for j in range(3):
                        workspace[(3 * i + j) * group + o] = element_at(workspace, address + i * by_row + j * by_column)
            for t in range(0, group, lanes):
                u_at = (g * chunks * lanes + c) * group + t
                transform_kernel(workspace, t, group, u, u_at, u_point)


@compiled
def _copy_window(x: StridedArray, n: int, top: int, left: int, window: Array, channels: int, lanes: int) -> None:
    """Copy the 6 × 6 pixels from (top, left) on, zeros outside the image, to `window` (6, 6, channels)."""
    _, count, height, width = x.shape
    _, by_channel, by_row, by_column = x.strides
    whole = count // lanes * lanes if by_channel == window.itemsize else 0
    for i in range(6):
        for j in range(6):
            at = (6 * i + j) * channels
            if 0 <= top + i < height and 0 <= left + j < width:
                address = x.address + n * x.strides[0] + (top + i) * by_row + (left + j) * by_column
                for c in range(0, whole, lanes):
                    copy_vector(window, at + c, address + c * window.itemsize)
                for c in range(whole, count):
                    window[at + c] = element_at(window, address + c * by_channel)
            else:
                window[at : at + count] = 0


@cache
def forward_kernel(relu: bool, pool: bool, vectors: int) -> Any:
    """The convolution of images `start` … `stop − 1`, channels-last; with `pool` the argmax too.

    window: memory for the pixels of a tile that are not contiguous channels, or reach beyond the image;
    window_address: its address.
    """

    @compiled
    def forward(
        x: StridedArray, start: int, stop: int, window: Array, window_address: int, v: Array, m: Array, u: Array,
        bias: Array, z: Array, argmax: Array, tiles: Tiles,
    ) -> None:  # fmt: skip
        _, count, height, width = x.shape
        lanes, group = tiles.lanes, vectors * tiles.lanes
        channels, out_channels = tiles.chunks * lanes, tiles.groups * group
        contiguous = x.strides[1] == window.itemsize and count == channels
        v_point = (tiles.chunks + 1) * TILES * lanes  # a vector more than needed, so that points differ in cache line
        m_point = group + lanes
        u_point = u.size // POINTS
        z_column, z_row = out_channels, tiles.across * tiles.side * out_channels
        per_image = tiles.down * tiles.across
        for first in range(start * per_image, stop * per_image, tiles.block):
            last = min(first + tiles.block, stop * per_image)
            for tile in range(first, last):
                n, place = tile // per_image, tile % per_image
                top = place // tiles.across * 4 - tiles.padding
                left = place % tiles.across * 4 - tiles.padding
                row, column = x.strides[2], x.strides[3]
                address = x.address + n * x.strides[0] + top * row + left * column
                if not contiguous or top < 0 or left < 0 or top + 6 > height or left + 6 > width:
                    row, column = 6 * channels * window.itemsize, channels * window.itemsize
                    address = window_address
                    _copy_window(x, n, top, left, window, channels, lanes)
                k = tile - first
                v_at = k // TILES * POINTS * v_point + k % TILES * lanes
                for c in range(tiles.chunks):
                    transform_pixels(
                        address + c * lanes * window.itemsize, row, column, v, v_at + c * TILES * lanes, v_point
                    )
            for g in range(tiles.groups):
                for point in range(POINTS):
                    for k in range(0, last - first, TILES):
                        multiply(
                            v, (k // TILES * POINTS + point) * v_point, tiles.chunks,
                            u, point * u_point + g * channels * group,
                            m, (k * POINTS + point) * m_point, POINTS * m_point, vectors,
                        )  # fmt: skip
                for tile in range(first, last):
                    n, place = tile // per_image, tile % per_image
                    i, j = place // tiles.across, place % tiles.across
                    z_at = ((n * tiles.down + i) * tiles.side * z_row) + j * tiles.side * z_column + g * group
                    for t in range(0, group, lanes):
                        transform_output(
                            m, (tile - first) * POINTS * m_point + t, m_point, bias, g * group + t,
                            z, argmax, z_at + t, z_row, z_column, relu, pool,
                        )  # fmt: skip

    return forward
