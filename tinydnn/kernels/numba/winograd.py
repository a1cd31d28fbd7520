"""Convolution by Winograd's minimal filtering, compiled by Numba, with threads over the pictures."""

from typing import Any

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty, zeros
from tinydnn.kernels.cpu.threads import over_batch

BLOCK_BYTES = 1 << 21  # of pixels at the 36 points at a time
LEAST = 24  # channels: below, the transforms cost more than they save
AS_IT_IS, RELU, POOL = 0, 1, 2


def pays(w: Array) -> bool:
    """Whether a kernel is one for which this is made: 3 × 3, with many channels on both sides."""
    return w.shape[2:] == (3, 3) and min(w.shape[:2]) >= LEAST


def convolve(x: Array, w: Array, b: Array | None, padding: int, finish: int) -> tuple[Array, Array]:
    """The convolution (N, O, H', W') of x (N, C, H, W) with w (O, C, 3, 3), finished; and who won.

    Pooled, who won is (N, H', columns, channels) in one piece, with columns and channels that do not count at the end.
    """
    from tinydnn.kernels.numba.loops.winograd import Tiled, forward_kernel
    from tinydnn.kernels.numba.simd.layout import lanes, pictures, round_up
    from tinydnn.kernels.numba.simd.transforms import POINTS, TILES

    (count, channels, *size), out_channels, lane = x.shape, len(w), lanes(x.dtype)
    height, width = (one + 2 * padding - 2 for one in size)
    all_out, all_in = round_up(out_channels, lane), round_up(channels, lane)
    vectors = 1 if all_out // lane % 2 else 2
    tile_bytes = POINTS * (all_in + lane) * x.itemsize
    block = max(4, BLOCK_BYTES // tile_bytes // TILES) * TILES
    down, across, side = -(-height // 4), -(-width // 4), 2 if finish == POOL else 4
    tiled = Tiled(down, across, padding, block, all_in // lane, all_out // lane // vectors, vectors, lane, side)
    u, bias = _at_points(w, tiled), np.zeros(all_out, x.dtype)
    if b is not None:
        bias[:out_channels] = b
    z = empty((count, down * side, across * side, all_out), x.dtype)
    winner = empty(z.shape if finish == POOL else (1,), np.uint8)
    forward = forward_kernel(finish, vectors)

    def forward_part(part: slice) -> None:
        store = zeros((POINTS * all_in,), x.dtype)
        v = empty((block * POINTS * (all_in + lane),), x.dtype)
        m = empty((block * POINTS * (vectors * lane + lane),), x.dtype)
        out = bias, z.reshape(-1), winner.reshape(-1), tiled
        address = store.__array_interface__["data"][0]
        forward(pictures(x), part.start, part.stop, store, address, v, m, u, *out)

    over_batch(count, forward_part)
    seen = (height // 2, width // 2) if finish == POOL else (height, width)
    won = np.ascontiguousarray(winner[:, : seen[0]]) if finish == POOL else winner
    return z.transpose(0, 3, 1, 2)[:, :out_channels, : seen[0], : seen[1]], won


def _at_points(w: Array, tiled: Any) -> Array:
    """The kernel at the 36 points, as `winograd.forward_kernel` takes it; a part of the output channels each thread."""
    from tinydnn.kernels.numba.loops.winograd import kernel_points
    from tinydnn.kernels.numba.simd.layout import pictures
    from tinydnn.kernels.numba.simd.transforms import POINTS

    group = tiled.vectors * tiled.lanes
    make = empty if w.shape[1] % tiled.lanes == 0 else zeros  # channels that are not there must count as zeros
    u = make((POINTS * tiled.groups * tiled.chunks * tiled.lanes * group,), w.dtype)

    def part(part: slice) -> None:
        store = zeros((9 * group,), w.dtype)
        kernel_points(pictures(w), part.start, part.stop, group, store, u, tiled.chunks, tiled.lanes)

    over_batch(tiled.groups, part)
    return u
