"""3 × 3 convolutions of stride 1 by tiles on tensor cores, and the kernels that go with them: how they are launched.

Pictures are channels-last, (N, H, W, C). `products` is 1 for TF32 and 3 for nearly float32 (`fragments.cuh`).
"""

from typing import NamedTuple

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cuda.layout import empty_like
from tinydnn.kernels.cuda.source import Source, blocks, int32, of_types

TAPS, TILE, CHUNK = 9, 16, 8
OUTS = (16, 32, 64)  # output channels of a block, of which the fewest that hold all are taken
PARTS = 264  # of a sum over pixels: two blocks for each of an H100's 132 multiprocessors
PRODUCTS, SWITCH = ("1", "3"), ("false", "true")

CONVOLUTION = Source(
    "tile_conv.cu",
    *(
        f"tile_conv<{products}, {out}, {into}>"
        for products in PRODUCTS
        for out in OUTS
        for into in ("false, false", "false, true", "true, false")
    ),
    *of_types("pack_weights", PRODUCTS),
)
GRADIENT = Source("tile_weight_gradient.cu", *of_types("tile_weight_gradient", PRODUCTS, ("1", "2"), SWITCH))
SUM = Source("sum_parts.cu", "sum_parts")
FIRST = Source("first_layer.cu", "first_forward", "first_weight_gradient")


class Pooled(NamedTuple):
    """Pooled numbers, or their gradients, and who won each (0 to 3, or 4 where ReLU cut it off); both (N, h, w, C)."""

    numbers: Array
    winner: Array


def countable(x: Array, w: Array) -> bool:
    """Whether 32 bits count the numbers of a picture (C, H, W), before and after a convolution with w."""
    height, width = (size + 2 for size in x.shape[2:])  # with a padding of 2
    return max(x.shape[1], len(w)) * height * width < 1 << 31


def convolve(
    x: Array | Pooled, w: Array, b: Array | None, into: Array | Pooled, *, padding: int, products: int, turned: bool
) -> None:
    """Convolve x into `into`: pooled where that is `Pooled`, from a pooled gradient where x is.

    w: (O, C, 3, 3); `turned`: with the kernel turned round and from O to C channels, for the gradient of the pixels.
    """
    (seen, seen_by), (made, made_by) = _parts_of(x), _parts_of(into)
    channels, out_channels = seen.shape[3], made.shape[3]
    out = next((size for size in OUTS if out_channels <= size), OUTS[-1])
    chunks, every = blocks(channels, CHUNK), blocks(out_channels, out) * out
    packed = empty_like(w, (chunks, TAPS, CHUNK, every))
    sizes = int32(*w.shape[:2], every, chunks)
    CONVOLUTION.launch_for_each(f"pack_weights<{products}>", packed.size, w, packed, *sizes, np.bool_(turned))
    pooling = 1 if made_by is None else 2
    tiles = len(made) * blocks(pooling * made.shape[1], TILE) * blocks(pooling * made.shape[2], TILE)
    kernel = f"tile_conv<{products}, {out}, {_c(seen_by is not None)}, {_c(made_by is not None)}>"
    stage = (TILE + 2) ** 2 * (CHUNK + 4) + TAPS * CHUNK * (out + 8)
    CONVOLUTION.launch(
        kernel, (tiles, every // out), 256 if out > 32 else 128,
        seen, seen_by, *int32(*seen.shape[1:]), packed, np.int32(every), b,
        made, made_by, *int32(*made.shape[1:], padding),
        shared=2 * 4 * stage,
    )  # fmt: skip


def weight_gradient(
    x: Array, dz: Array | Pooled, w: Array, *, padding: int, products: int, with_bias: bool
) -> tuple[Array, Array | None]:
    """The gradients: dw like w, and db (O,) where it is wanted."""
    upstream, winner = _parts_of(dz)
    (count, height, width, channels), out_channels = x.shape, len(w)
    rows = 1 if channels <= 16 else 2
    pooling = 1 if winner is None else 2
    tiles = count * blocks(pooling * upstream.shape[1], 8) * blocks(pooling * upstream.shape[2], 16)
    groups = blocks(channels, 16 * rows) * blocks(out_channels, 32)
    number = min(tiles, max(PARTS // groups, 1))
    parts = empty_like(x, (number, TAPS * channels * out_channels + out_channels))
    stage = 10 * 18 * (16 * rows + 8) + 8 * 16 * 40
    GRADIENT.launch(
        f"tile_weight_gradient<{products}, {rows}, {_c(winner is not None)}>", (number, groups), 192,
        x, *int32(height, width, channels), upstream, winner, *int32(*upstream.shape[1:]),
        *int32(count, padding), parts, np.bool_(with_bias),
        shared=2 * 4 * stage,
    )  # fmt: skip
    return _summed(parts, w, with_bias)


def first_forward(x: Array, w: Array, b: Array | None, z: Pooled, *, padding: int) -> None:
    """Convolution, ReLU and pooling of pictures of one channel, in float32."""
    height, width, out_channels = z.numbers.shape[1:]
    grid = len(x) * blocks(height, 8) * blocks(width, 32), blocks(out_channels, 16)
    sizes = int32(height, width, out_channels, padding)
    FIRST.launch("first_forward", grid, 256, x, *int32(*x.shape[1:3]), w, b, *z, *sizes)


def first_weight_gradient(
    x: Array, dz: Pooled, w: Array, *, padding: int, with_bias: bool
) -> tuple[Array, Array | None]:
    """The gradients of `first_forward`: dw like w, and db where it is wanted."""
    height, width, out_channels = dz.numbers.shape[1:]
    tiles, groups = len(x) * blocks(height, 8) * blocks(width, 32), blocks(out_channels, 16)
    number = min(tiles, max(3 * PARTS // 2 // groups, 1))
    parts = empty_like(x, (number, (TAPS + 1) * out_channels))
    sizes = int32(height, width, out_channels, len(x), padding)
    FIRST.launch("first_weight_gradient", (number, groups), 256, x, *int32(*x.shape[1:3]), *dz, *sizes, parts)
    return _summed(parts, w, with_bias)


def _summed(parts: Array, w: Array, with_bias: bool) -> tuple[Array, Array | None]:
    dw, db = empty_like(w, w.shape), empty_like(w, (len(w),)) if with_bias else None
    sizes = int32(len(parts), TAPS, w.shape[1], len(w))
    SUM.launch("sum_parts", (blocks(parts.shape[1], 32),), 256, parts, *sizes, dw, db)
    return dw, db


def _parts_of(one: Array | Pooled) -> tuple[Array, Array | None]:
    return one if isinstance(one, Pooled) else (one, None)


def _c(switch: bool) -> str:
    return "true" if switch else "false"
