"""Winograd's minimal filtering F(4 × 4, 3 × 3), as code on vectors of channels.

A tile of 4 × 4 outputs sees 6 × 6 pixels d and a kernel g of 3 × 3. In place of 16 · 9 products it takes 36:

    y = Aᵀ · [(G · g · Gᵀ) ⊙ (Bᵀ · d · B)] · A

with the points 0, 1, −1, 2, −2 and ∞. Over channels the products ⊙ become 36 matrix products.

Source: Winograd, Arithmetic Complexity of Computations; Lavin and Gray, Fast Algorithms for Convolutional Neural
Networks, section 4.3.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tinydnn.kernels.numba.simd.tiles import best_of_four, cut_off
from tinydnn.kernels.numba.simd.vectors import MANY_REGISTERS, Code, Value

POINTS = 36
TILES = 12 if MANY_REGISTERS else 4
"""How many tiles a matrix product takes at a time, each with two vectors of output channels."""


@intrinsic
def transform_pixels(typing: Any, address: Any, row: Any, column: Any, v: Any, v_at: Any, v_step: Any) -> Any:
    """Bᵀ · d · B of 6 × 6 pixels, a vector of channels each.

    address: of the first pixel. row, column: bytes to the next. v_step: elements from one of the 36 points to the next.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code, b = Code(context, builder, v), builder
        first, by_row, by_column, vv, vv_at, step = args

        def pixel(i: int, j: int) -> Value:
            offset = b.add(b.mul(by_row, by_row.type(i)), b.mul(by_column, by_column.type(j)))
            return code.load(b.inttoptr(b.add(first, offset), code.number.as_pointer()))

        pixels = [[pixel(i, j) for j in range(6)] for i in range(6)]
        _store_points(code, _both_ways(pixels, lambda d: _pixels(code, d)), code.pointer(v, vv, vv_at), step)
        return context.get_dummy_value()

    return types.void(address, row, column, v, v_at, v_step), codegen


@intrinsic
def transform_kernel(typing: Any, w: Any, w_at: Any, w_step: Any, u: Any, u_at: Any, u_step: Any) -> Any:
    """G · g · Gᵀ of 3 × 3 weights, a vector of output channels each; steps count elements."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code, b = Code(context, builder, w), builder
        vw, vw_at, vw_step, vu, vu_at, step = args
        first = code.pointer(w, vw, vw_at)
        weights = [
            [code.load(code.at(first, b.mul(vw_step, vw_step.type(3 * i + j)))) for j in range(3)] for i in range(3)
        ]
        _store_points(code, _both_ways(weights, lambda g: _kernel(code, g)), code.pointer(u, vu, vu_at), step)
        return context.get_dummy_value()

    return types.void(w, w_at, w_step, u, u_at, u_step), codegen


@intrinsic(prefer_literal=True)
def multiply(
    typing: Any, v: Any, v_at: Any, chunks: Any, u: Any, u_at: Any, m: Any, m_at: Any, m_step: Any, vectors: Any
) -> Any:  # fmt: skip
    """Matrix product at one point: `TILES` tiles by some vectors of output channels, whose sums stay in registers.

    v: (chunks, TILES, lanes). u: (chunks, lanes, vectors, lanes). m_step: elements to the next tile.
    """
    count = vectors.literal_value

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code, b = Code(context, builder, v), builder
        vv, vv_at, v_chunks, vu, vu_at, vm, vm_at, step, _ = args
        seen, weights, to = code.pointer(v, vv, vv_at), code.pointer(u, vu, vu_at), code.pointer(m, vm, vm_at)
        sums = [[code.variable(code.zero) for _ in range(count)] for _ in range(TILES)]
        with code.loop(v_chunks) as k:
            of_chunk = code.at(seen, b.mul(k, k.type(TILES * code.lanes)))
            of_weights = code.at(weights, b.mul(k, k.type(code.lanes * count * code.lanes)))
            with code.loop(code.lanes) as c:
                corner = code.at(of_chunk, c)
                line = code.at(of_weights, b.mul(c, c.type(count * code.lanes)))
                ws = [code.load(code.at(line, t * code.lanes)) for t in range(count)]
                for p in range(TILES):
                    number = code.load_broadcast(code.at(corner, p * code.lanes))
                    for t in range(count):
                        code.add_product(sums[p][t], number, ws[t])
        for p in range(TILES):
            line = code.at(to, b.mul(step, step.type(p)))
            for t in range(count):
                code.store(b.load(sums[p][t]), code.at(line, t * code.lanes))
        return context.get_dummy_value()

    return types.void(v, v_at, chunks, u, u_at, m, m_at, m_step, vectors), codegen


@intrinsic(prefer_literal=True)
def transform_back(
    typing: Any, m: Any, m_at: Any, m_step: Any, bias: Any, bias_at: Any,
    z: Any, winner: Any, z_at: Any, z_row: Any, z_column: Any, finish: Any,
) -> Any:  # fmt: skip
    """Aᵀ · m · A of the 36 points of a tile, plus the bias; stored as 4 × 4 pixels, or pooled as 2 × 2 with who won.

    Steps count elements. Literal: finish, 0: as it is, 1: cut off below zero, 2: cut off and pooled.
    """
    kind = finish.literal_value

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code, b = Code(context, builder, m), builder
        vm, vm_at, step, v_bias, v_bias_at, vz, v_winner, vz_at, by_row, by_column, _ = args
        first, bias_of = code.pointer(m, vm, vm_at), code.load(code.pointer(bias, v_bias, v_bias_at))
        points = [[code.load(code.at(first, b.mul(step, step.type(6 * i + j)))) for j in range(6)] for i in range(6)]
        sums = _both_ways(points, lambda one: _outputs(code, one))
        to, to_winner = code.pointer(z, vz, vz_at), code.pointer(winner, v_winner, vz_at)
        for i, j in ((i, j) for i in range(2 if kind == 2 else 4) for j in range(2 if kind == 2 else 4)):
            offset = b.add(b.mul(by_row, by_row.type(i)), b.mul(by_column, by_column.type(j)))
            if kind == 2:
                four = [sums[2 * i + p][2 * j + q] for p in range(2) for q in range(2)]
                best, who = best_of_four(code, four, bias_of)
                code.store(who, code.at(to_winner, offset))
            else:
                best = b.fadd(sums[i][j], bias_of)
                best = cut_off(code, best)[0] if kind else best
            code.store(best, code.at(to, offset))
        return context.get_dummy_value()

    arguments = m, m_at, m_step, bias, bias_at, z, winner, z_at, z_row, z_column, finish
    return types.void(*arguments), codegen


def _both_ways(square: Sequence[Sequence[Value]], along: Callable[[Sequence[Value]], list[Value]]) -> list[list[Value]]:
    """T · square · Tᵀ, where `along` multiplies a line by T."""
    columns = [along(column) for column in zip(*square, strict=True)]
    return [along(row) for row in zip(*columns, strict=True)]


def _store_points(code: Code, points: list[list[Value]], to: Value, step: Value) -> None:
    for k, value in enumerate(one for line in points for one in line):
        code.store(value, code.at(to, code.builder.mul(step, step.type(k))))


def _pixels(code: Code, d: Sequence[Value]) -> list[Value]:
    """Bᵀ · d."""
    b = code.builder
    even, odd = _plus(code, d[4], -4, d[2]), _plus(code, d[3], -4, d[1])
    near, far = b.fsub(d[4], d[2]), b.fsub(d[3], d[1])
    return [
        _plus(code, _plus(code, d[4], -5, d[2]), 4, d[0]),
        b.fadd(even, odd), b.fsub(even, odd), _plus(code, near, 2, far), _plus(code, near, -2, far),
        _plus(code, _plus(code, d[5], -5, d[3]), 4, d[1]),
    ]  # fmt: skip


def _kernel(code: Code, g: Sequence[Value]) -> list[Value]:
    """G · g."""
    b = code.builder
    outer = b.fadd(g[0], g[2])
    wide = _plus(code, _times(code, 1 / 6, g[2]), 1 / 24, g[0])
    return [
        _times(code, 1 / 4, g[0]),
        _times(code, -1 / 6, b.fadd(outer, g[1])), _times(code, -1 / 6, b.fsub(outer, g[1])),
        _plus(code, wide, 1 / 12, g[1]), _plus(code, wide, -1 / 12, g[1]), g[2],
    ]  # fmt: skip


def _outputs(code: Code, m: Sequence[Value]) -> list[Value]:
    """Aᵀ · m."""
    b = code.builder
    near, near_odd, far, far_odd = b.fadd(m[1], m[2]), b.fsub(m[1], m[2]), b.fadd(m[3], m[4]), b.fsub(m[3], m[4])
    return [
        b.fadd(b.fadd(m[0], near), far), _plus(code, near_odd, 2, far_odd), _plus(code, near, 4, far),
        _plus(code, b.fadd(near_odd, m[5]), 8, far_odd),
    ]  # fmt: skip


def _plus(code: Code, a: Value, factor: float, b: Value) -> Value:
    """The vector a + factor · b."""
    return code.fma(_constant(code, factor), b, a)


def _times(code: Code, factor: float, a: Value) -> Value:
    return code.builder.fmul(_constant(code, factor), a)


def _constant(code: Code, number: float) -> Value:
    return ir.Constant(code.vector, [float(number)] * code.lanes)
