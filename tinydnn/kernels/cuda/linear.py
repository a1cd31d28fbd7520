"""The fully connected layer on tensor cores of a GPU."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cuda.layout import contiguous, empty_like
from tinydnn.kernels.cuda.source import Source, blocks, instances, int32
from tinydnn.kernels.cuda.tiles import MULTIPROCESSORS, PRODUCTS
from tinydnn.ops.implementation import Arguments, Backward

FORWARD, INPUT, WEIGHT = "true, true", "true, false", "false, false"  # of `multiply`: how A and B lie in memory
KERNELS = Source("linear.cu", *instances("multiply", PRODUCTS, (FORWARD, INPUT, WEIGHT)), "sum_splits")
MIN_CHUNKS = 8  # of the depth that a block takes; adding up smaller parts would cost more than it saves


def _supports(arguments: Arguments) -> bool:
    return arguments.x.dtype == np.float32


@ops.linear.implementation("3xtf32", device="cuda", priority=20, supports=_supports)
def nearly_fp32(x: Array, w: Array, b: Array) -> tuple[Array, Backward]:
    """On tensor cores with three TF32 products for each float32 product: an error close to float32's own."""
    return _on_tensor_cores(x, w, b, products=3)


@ops.linear.implementation("tf32", device="cuda", priority=30, supports=_supports, precision="tf32")
def tf32(x: Array, w: Array, b: Array) -> tuple[Array, Backward]:
    """On tensor cores with one TF32 product for each float32 product, accurate to three digits."""
    return _on_tensor_cores(x, w, b, products=1)


def _on_tensor_cores(x: Array, w: Array, b: Array, *, products: int) -> tuple[Array, Backward]:
    x, w = contiguous(x), contiguous(w)
    (count, inputs), outputs = x.shape, len(w)
    z = empty_like(x, (count, outputs))
    _multiply(FORWARD, x, w, z, inputs, products=products, bias=contiguous(b))

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array]:
        dz = contiguous(dz)
        dw, db = empty_like(w, w.shape), empty_like(w, (outputs,))
        _multiply(WEIGHT, dz, x, dw, count, products=products, row_sums=db)
        if not need_dx:
            return None, dw, db
        dx = empty_like(x, x.shape)
        _multiply(INPUT, dz, w, dx, outputs, products=products)
        return dx, dw, db

    return z, backward


def _multiply(
    layout: str, a: Array, b: Array, c: Array, depth: int, *, products: int,
    bias: Array | None = None, row_sums: Array | None = None,
) -> None:  # fmt: skip
    """C = A · B, plus the bias of each column; row_sums receives the sums over the rows of A.

    Where C has too few tiles to occupy the GPU, the depth is split, and the partial sums are added by a second kernel.
    """
    rows, columns = c.shape
    tile = KERNELS.constant("TILE")
    tiles, chunks = blocks(rows, tile) * blocks(columns, tile), blocks(depth, KERNELS.constant("CHUNK"))
    share = max(MIN_CHUNKS, blocks(chunks, max(2 * MULTIPROCESSORS // tiles, 1)))
    splits = blocks(chunks, share)
    into = c if splits == 1 else empty_like(c, (splits, c.size + rows))
    KERNELS.launch(
        f"multiply<{products}, {layout}>",
        (blocks(columns, tile), blocks(rows, tile), splits), KERNELS.constant("BLOCK"),
        a, b, into, bias, row_sums, *int32(rows, columns, depth),
        shared=4 * KERNELS.constant("STAGES") * KERNELS.constant("STAGE"),  # floats
    )  # fmt: skip
    if splits > 1:
        size = c.size + (0 if row_sums is None else rows)
        lanes, groups = KERNELS.constant("LANES"), KERNELS.constant("GROUPS")
        arguments = into, np.int32(splits), bias, c, row_sums, *int32(rows, columns)
        KERNELS.launch("sum_splits", (blocks(size, lanes),), lanes * groups, *arguments)
