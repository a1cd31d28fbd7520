"""Max pooling compiled: a vector of channels at a time, for windows of any size that may overlap."""

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tinydnn.backend import Array
from tinydnn.kernels.numba.jit import compiled
from tinydnn.kernels.numba.simd.layout import Pictures
from tinydnn.kernels.numba.simd.vectors import Code


@intrinsic(prefer_literal=True)
def largest(typing: Any, address: Any, row: Any, column: Any, z: Any, winner: Any, z_at: Any, window: Any) -> Any:
    """The largest of a window's pixels and who it was, in reading order; of equals the first, and a NaN before all.

    address: of the window's first pixel. row, column: bytes to the next. Literal: pixels along each side of a window.
    """
    side = window.literal_value

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code, b = Code(context, builder, z), builder
        first, by_row, by_column, vz, v_winner, vz_at, _ = args
        best, who = ir.Constant(code.vector, [float("-inf")] * code.lanes), code.code(0)
        for k in range(side * side):
            offset = b.add(b.mul(by_row, by_row.type(k // side)), b.mul(by_column, by_column.type(k % side)))
            seen = code.load(b.inttoptr(b.add(first, offset), code.number.as_pointer()))
            # Not "less or equal" is "larger, or one is a NaN"; a NaN that leads stays.
            better = b.and_(b.fcmp_unordered(">", seen, best), b.fcmp_ordered("ord", best, best))
            best, who = b.select(better, seen, best), b.select(better, code.code(k), who)
        code.store(best, code.pointer(z, vz, vz_at))
        code.store(who, code.pointer(winner, v_winner, vz_at))
        return context.get_dummy_value()

    return types.void(address, row, column, z, winner, z_at, window), codegen


@intrinsic
def give_back(typing: Any, dz: Any, dz_at: Any, winner: Any, tap: Any, dx: Any, dx_at: Any) -> Any:
    """Add to a vector of dx the gradients of those channels in which it was the pixel that won as number `tap`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code, b = Code(context, builder, dx), builder
        vdz, vdz_at, v_winner, v_tap, vdx, vdx_at = args
        who = code.load(code.pointer(winner, v_winner, vdz_at), code.bytes)
        undefined, lane = ir.Constant(code.bytes, ir.Undefined), ir.IntType(32)
        first = b.insert_element(undefined, b.trunc(v_tap, ir.IntType(8)), lane(0))
        asked = b.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(lane, code.lanes), [0] * code.lanes))
        g = b.select(b.icmp_unsigned("==", who, asked), code.load(code.pointer(dz, vdz, vdz_at)), code.zero)
        to = code.pointer(dx, vdx, vdx_at)
        code.store(b.fadd(code.load(to), g), to)
        return context.get_dummy_value()

    return types.void(dz, dz_at, winner, tap, dx, dx_at), codegen


@cache
def forward_kernel(window: int) -> Any:
    """The forward pass over pictures `start` … `stop − 1`, channels innermost and filled up to vectors."""

    @compiled
    def forward(
        x: Pictures, start: int, stop: int, z: Array, winner: Array, stride: int, height: int, width: int, lanes: int
    ) -> None:
        channels = x.shape[1]
        for n in range(start, stop):
            for i in range(height):
                for j in range(width):
                    at = ((n * height + i) * width + j) * channels
                    first = x.address + n * x.strides[0] + i * stride * x.strides[2] + j * stride * x.strides[3]
                    for c in range(0, channels, lanes):
                        largest(first + c * z.itemsize, x.strides[2], x.strides[3], z, winner, at + c, window)

    return forward


@compiled
def backward(
    dz: Array,
    winner: Array,
    dx: Array,
    start: int,
    stop: int,
    sizes: tuple[int, ...],
    window: int,
    stride: int,
    lanes: int,
) -> None:
    """The backward pass: dz (N, H', W', C) to dx (N, H, W, C), flat; sizes: H', W', H, W, C."""
    height, width, rows, columns, channels = sizes
    for n in range(start, stop):
        begin = n * rows * columns * channels
        dx[begin : begin + rows * columns * channels] = 0
        for i in range(height):
            for j in range(width):
                at = ((n * height + i) * width + j) * channels
                for u in range(window):
                    for v in range(window):
                        to = begin + ((i * stride + u) * columns + j * stride + v) * channels
                        for c in range(0, channels, lanes):
                            give_back(dz, at + c, winner, u * window + v, dx, to + c)
