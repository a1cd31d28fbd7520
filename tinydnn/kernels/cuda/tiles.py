"""Launch the tiled kernels for 3 × 3 convolutions of stride 1: on tensor cores, and for one input channel.

Images are channels-last, (N, H, W, C). `products` is 1 for TF32 and 3 for nearly float32 (`fragments.cuh`). Tile sizes
are constants of the CUDA sources.
"""

from math import prod
from typing import NamedTuple

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cuda.layout import channels_first, empty_like
from tinydnn.kernels.cuda.source import Source, blocks, instances, int32
from tinydnn.ops.implementation import Arguments

OUTS = (16, 32, 64)  # output channels of a block; the smallest that holds all channels runs
MULTIPROCESSORS = 132  # of an H100
PRODUCTS = ("1", "3")

CONVOLUTION = Source(
    "tile_conv.cu",
    *instances("tile_conv", PRODUCTS, [str(out) for out in OUTS], ("false, false", "false, true", "true, false")),
    *instances("pack_weights", PRODUCTS),
)
GRADIENT = Source(
    "tile_weight_gradient.cu", *instances("tile_weight_gradient", PRODUCTS, ("16", "32"), ("false", "true"))
)
SUM = Source("sum_partials.cu", "sum_partials")
ONE_CHANNEL = Source("one_channel.cu", "one_channel_forward", "one_channel_weight_gradient")


class Pooled(NamedTuple):
    """Pooled values, or their gradients, and the winner of each window; both (N, h, w, C).

    winner: the argmax in reading order, 0 to 3, or 4 where ReLU cut the value off.
    """

    values: Array
    winner: Array


def supports_convolution(arguments: Arguments) -> bool:
    """Whether the kernels support a convolution: float32, 3 × 3, stride 1, padding at most 2.

    Offsets within an image of x and of z must fit into 32 bits.
    """
    x, w = arguments.x, arguments.w
    height, width = (size + 2 for size in x.shape[2:])  # z is largest with a padding of 2
    return (
        x.dtype == np.float32
        and w.shape[2:] == (3, 3)
        and arguments.stride == 1
        and arguments.padding <= 2
        and max(x.shape[1], len(w)) * height * width < 1 << 31
    )


class Packed(NamedTuple):
    """Weights as the kernels read them: for the forward pass, and flipped, for the gradient of the input."""

    forward: Array
    flipped: Array


def pack(w: Array, products: int) -> Packed:
    """Pack weights w (O, C, 3, 3) for both passes in one launch."""
    out_channels, channels = w.shape[:2]
    taps, chunk = CONVOLUTION.constant("TAPS"), CONVOLUTION.constant("CHUNK")
    columns, flipped_columns = (prod(_columns(count)) for count in (out_channels, channels))
    chunks, flipped_chunks = blocks(channels, chunk), blocks(out_channels, chunk)
    packed = Packed(
        empty_like(w, (chunks, taps, chunk, columns)), empty_like(w, (flipped_chunks, taps, chunk, flipped_columns))
    )
    sizes = int32(out_channels, channels, columns, chunks, flipped_columns, flipped_chunks)
    CONVOLUTION.launch_for_each(f"pack_weights<{products}>", sum(array.size for array in packed), w, *packed, *sizes)
    return packed


def _columns(channels: int) -> tuple[int, int]:
    """The output channels of a block, and the number of blocks that cover all."""
    out = next((size for size in OUTS if channels <= size), OUTS[-1])
    return out, blocks(channels, out)


def convolve(
    x: Array | Pooled, packed: Array, b: Array | None, z: Array | Pooled, *, padding: int, products: int
) -> None:
    """Convolve x into z. A `Pooled` z gets bias, ReLU and pooling; a `Pooled` x is a gradient to scatter first.

    packed: one of `Packed`.
    """
    (x_values, x_winner), (z_values, z_winner) = _unpack(x), _unpack(z)
    out, groups = _columns(z_values.shape[3])
    tile = CONVOLUTION.constant("TILE")
    pooling = 1 if z_winner is None else 2
    tiles = len(z_values) * blocks(pooling * z_values.shape[1], tile) * blocks(pooling * z_values.shape[2], tile)
    pooled = f"{x_winner is not None}, {z_winner is not None}".lower()
    CONVOLUTION.launch(
        f"tile_conv<{products}, {out}, {pooled}>",
        (tiles, groups), CONVOLUTION.constant("BLOCK", OUT=out),
        x_values, x_winner, *int32(*x_values.shape[1:]), packed, np.int32(groups * out), b,
        z_values, z_winner, *int32(*z_values.shape[1:], padding),
        shared=2 * 4 * CONVOLUTION.constant("STAGE", OUT=out),  # two stages of floats
    )  # fmt: skip


def weight_gradient(
    x: Array, dz: Array | Pooled, w: Array, *, padding: int, products: int, with_bias: bool
) -> tuple[Array, Array | None]:
    """The gradients dw, of w's shape, and db (O,) or None."""
    dz_values, winner = _unpack(dz)
    (count, height, width, channels), out_channels = x.shape, len(w)
    in_channels = 16 if channels <= 16 else 32
    pooling = 1 if winner is None else 2
    tile = GRADIENT.constant("TILE_HEIGHT"), GRADIENT.constant("TILE_WIDTH")
    tiles = count * blocks(pooling * dz_values.shape[1], tile[0]) * blocks(pooling * dz_values.shape[2], tile[1])
    groups = blocks(channels, in_channels) * blocks(out_channels, GRADIENT.constant("OUT"))
    partials = empty_like(x, (min(tiles, max(2 * MULTIPROCESSORS // groups, 1)), w.size + out_channels))
    GRADIENT.launch(
        f"tile_weight_gradient<{products}, {in_channels}, {str(winner is not None).lower()}>",
        (len(partials), groups), GRADIENT.constant("THREADS"),
        x, *int32(height, width, channels), dz_values, winner, *int32(*dz_values.shape[1:]),
        *int32(count, padding), partials, np.bool_(with_bias),
        shared=2 * 4 * GRADIENT.constant("STAGE", IN=in_channels),  # two stages of floats
    )  # fmt: skip
    return _sum_partials(partials, w, with_bias)


def gradients(
    x: Array, w: Array, packed: Packed | None, dz: Array | Pooled, *, padding: int, products: int, with_bias: bool,
    need_dx: bool,
) -> tuple[Array | None, Array, Array | None]:  # fmt: skip
    """The gradients dx (N, C, H, W) or None, dw, and db or None. packed: w; None after `one_channel_forward`."""
    if packed is None and isinstance(dz, Pooled):
        dw, db = one_channel_weight_gradient(x, dz, w, padding=padding, with_bias=with_bias)
    else:
        dw, db = weight_gradient(x, dz, w, padding=padding, products=products, with_bias=with_bias)
    if not need_dx:
        return None, dw, db
    dx = empty_like(x, x.shape)
    flipped = (packed or pack(w, products)).flipped
    convolve(dz, flipped, None, dx, padding=2 - padding, products=products)
    return channels_first(dx), dw, db


def one_channel_forward(x: Array, w: Array, b: Array | None, z: Pooled, *, padding: int) -> None:
    """Convolution, ReLU and pooling of images of one channel, in float32."""
    tiles, groups, threads = _one_channel_grid(z)
    sizes = int32(*z.values.shape[1:], padding)
    arguments = x, *int32(*x.shape[1:3]), w, b, *z, *sizes
    ONE_CHANNEL.launch("one_channel_forward", (tiles, groups), threads, *arguments)


def one_channel_weight_gradient(
    x: Array, dz: Pooled, w: Array, *, padding: int, with_bias: bool
) -> tuple[Array, Array | None]:
    """The gradients of `one_channel_forward`: dw of w's shape, and db (O,) or None."""
    tiles, groups, threads = _one_channel_grid(dz)
    partials = empty_like(x, (min(tiles, max(3 * MULTIPROCESSORS // groups, 1)), w.size + len(w)))
    sizes = int32(*dz.values.shape[1:], len(x), padding)
    arguments = x, *int32(*x.shape[1:3]), *dz, *sizes, partials
    ONE_CHANNEL.launch("one_channel_weight_gradient", (len(partials), groups), threads, *arguments)
    return _sum_partials(partials, w, with_bias)


def _one_channel_grid(z: Pooled) -> tuple[int, int, int]:
    """Tiles of the batch, groups of output channels, and threads of a block."""
    names = "TILE_HEIGHT", "TILE_WIDTH", "GROUP", "THREADS"
    tile_height, tile_width, group, threads = (ONE_CHANNEL.constant(name) for name in names)
    count, height, width, channels = z.values.shape
    return count * blocks(height, tile_height) * blocks(width, tile_width), blocks(channels, group), threads


def _sum_partials(partials: Array, w: Array, with_bias: bool) -> tuple[Array, Array | None]:
    dw, db = empty_like(w, w.shape), empty_like(w, (len(w),)) if with_bias else None
    lanes, groups = SUM.constant("LANES"), SUM.constant("GROUPS")
    sizes = int32(len(partials), w.shape[2] * w.shape[3], w.shape[1], len(w))
    SUM.launch("sum_partials", (blocks(partials.shape[1], lanes),), lanes * groups, partials, *sizes, dw, db)
    return dw, db


def _unpack(x: Array | Pooled) -> tuple[Array, Array | None]:
    return x if isinstance(x, Pooled) else (x, None)
