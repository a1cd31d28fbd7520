"""Convolution by Winograd's algorithm F(4 × 4, 3 × 3) on the CPU, with threads over the images.

Its rounding error is larger than that of direct convolution, about 1e-6 of the largest value. Near ties, the argmax of
a pooling window or the sign under ReLU may therefore differ, and with them the path of a gradient. Training losses
agree with those of direct convolution to about 1e-5.
"""

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty, zeros
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.implementation import Arguments

BLOCK_BYTES = 1 << 21  # of transformed pixels at a time
LEAST_CHANNELS = 24  # below, the transforms cost more than they save


def supports(arguments: Arguments) -> bool:
    """3 × 3 kernels with stride 1 and many channels."""
    return arguments.stride == 1 and arguments.padding < 3 and pays(arguments.w)


def pays(w: Array) -> bool:
    """Whether the algorithm is faster than direct convolution: 3 × 3, with many channels in and out."""
    return w.shape[2:] == (3, 3) and min(w.shape[:2]) >= LEAST_CHANNELS


def convolve(
    x: Array, w: Array, b: Array | None, padding: int, *, relu: bool = False, pool: bool = False
) -> tuple[Array, Array]:
    """The convolution (N, O, H', W') of x (N, C, H, W) with w (O, C, 3, 3), and the argmax if `pool`.

    relu: apply ReLU. pool: apply ReLU and 2 × 2 max pooling. The argmax (N, H', columns, channels) of each window is 0
    to 3 in reading order, 4 where ReLU is zero. It is contiguous; columns beyond W' and channels beyond O are padding.
    """
    from tinydnn.kernels.numba.loops.winograd import Tiles, forward_kernel
    from tinydnn.kernels.numba.simd.layout import lanes, padded_bias, round_up, strided
    from tinydnn.kernels.numba.simd.transforms import POINTS, TILES

    (count, channels, *size), out_channels, lane = x.shape, len(w), lanes(x.dtype)
    height, width = (extent + 2 * padding - 2 for extent in size)
    padded_out, padded_in = round_up(out_channels, lane), round_up(channels, lane)
    vectors = 1 if padded_out // lane % 2 else 2
    chunks, groups = padded_in // lane, padded_out // lane // vectors
    tile_bytes = POINTS * (padded_in + lane) * x.itemsize
    block = max(4, BLOCK_BYTES // tile_bytes // TILES) * TILES
    down, across, side = -(-height // 4), -(-width // 4), 2 if pool else 4
    tiles = Tiles(down, across, padding, block, chunks, groups, vectors, lane, side)
    u, bias = _transform_kernel(w, chunks, groups, vectors * lane, lane), padded_bias(b, padded_out, x.dtype)
    z = empty((count, down * side, across * side, padded_out), x.dtype)
    argmax = empty(z.shape if pool else (1,), np.uint8)
    forward = forward_kernel(relu, pool, vectors)

    def forward_part(part: slice) -> None:
        window = zeros((POINTS * padded_in,), x.dtype)
        v = empty((block * POINTS * (padded_in + lane),), x.dtype)
        m = empty((block * POINTS * (vectors * lane + lane),), x.dtype)
        address = window.__array_interface__["data"][0]
        output = bias, z.reshape(-1), argmax.reshape(-1), tiles
        forward(strided(x), part.start, part.stop, window, address, v, m, u, *output)

    over_batch(count, forward_part)
    height, width = (height // 2, width // 2) if pool else (height, width)
    z = z.transpose(0, 3, 1, 2)[:, :out_channels, :height, :width]
    return z, np.ascontiguousarray(argmax[:, :height]) if pool else argmax


def _transform_kernel(w: Array, chunks: int, groups: int, group: int, lane: int) -> Array:
    """G · w · Gᵀ as `loops.winograd.forward_kernel` takes it, with threads over groups of output channels."""
    from tinydnn.kernels.numba.loops.winograd import transform_weights
    from tinydnn.kernels.numba.simd.layout import strided
    from tinydnn.kernels.numba.simd.transforms import POINTS

    allocate = empty if w.shape[1] == chunks * lane else zeros  # weights of padding channels must be zero
    u = allocate((POINTS * groups * chunks * lane * group,), w.dtype)

    def transform_part(part: slice) -> None:
        workspace = zeros((9 * group,), w.dtype)
        transform_weights(strided(w), part.start, part.stop, group, workspace, u, chunks, lane)

    over_batch(groups, transform_part)
    return u
