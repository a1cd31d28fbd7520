"""Winograd's algorithm F(4 × 4, 3 × 3) on vectors of channels: the transforms of a tile, and the products.

A tile of 4 × 4 outputs depends on 6 × 6 pixels d and a kernel g of 3 × 3. Instead of 16 · 9 products it takes 36:

    z = Aᵀ · [(G · g · Gᵀ) ⊙ (Bᵀ · d · B)] · A

with the matrices of `winograd_matrices`. Summed over input channels, ⊙ becomes a matrix product at each of the 36
points, tiles by output channels.
"""

import numpy as np

from tinydnn.kernels.numba.simd.pooling import relu, relu_max_of_four
from tinydnn.kernels.numba.simd.vectors import MANY_REGISTERS, Code, Value, emitted
from tinydnn.kernels.numba.simd.winograd_matrices import (
    apply_a_transposed,
    apply_b_transposed,
    apply_g,
    on_both_sides,
)

POINTS = 36
TILES = 12 if MANY_REGISTERS else 4
"""The tiles of a matrix product in registers, each with two vectors of output channels."""


@emitted
def transform_pixels(
    code: Code, address: Value, row: Value, column: Value, v: Value, v_at: Value, v_point: Value
) -> None:
    """Store v = Bᵀ · d · B of 6 × 6 pixels d, a vector of channels each.

    address: of the first pixel. row, column: bytes to the next. v_point: elements to the next of the 36 points.
    """
    b = code.builder

    def pixel(i: int, j: int) -> Value:
        offset = b.add(b.mul(row, row.type(i)), b.mul(column, column.type(j)))
        return code.load_address(b.add(address, offset))

    d = [[pixel(i, j) for j in range(6)] for i in range(6)]
    _store_points(code, on_both_sides(apply_b_transposed, code, d), code.at(v, v_at), v_point)


@emitted
def transform_kernel(code: Code, w: Value, w_at: Value, w_step: Value, u: Value, u_at: Value, u_point: Value) -> None:
    """Store u = G · g · Gᵀ of 3 × 3 weights g, a vector of output channels each; steps count elements."""
    b, first = code.builder, code.at(w, w_at)
    g = [[code.load(code.at(first, b.mul(w_step, w_step.type(3 * i + j)))) for j in range(3)] for i in range(3)]
    _store_points(code, on_both_sides(apply_g, code, g), code.at(u, u_at), u_point)


@emitted
def multiply(
    code: Code, v: Value, v_at: Value, chunks: Value, u: Value, u_at: Value, m: Value, m_at: Value, m_tile: Value,
    vectors: int,
) -> None:  # fmt: skip
    """Store m = v · u at one point: `TILES` tiles by `vectors` vectors of output channels, with sums in registers.

    v: (chunks, TILES, lanes). u: (chunks, lanes, vectors, lanes). m_tile: elements to the next tile.
    """
    b, v, u, m = code.builder, code.at(v, v_at), code.at(u, u_at), code.at(m, m_at)
    sums = [[code.variable(code.zero) for _ in range(vectors)] for _ in range(TILES)]
    with code.loop(chunks) as k:
        v_chunk = code.at(v, b.mul(k, k.type(TILES * code.lanes)))
        u_chunk = code.at(u, b.mul(k, k.type(code.lanes * vectors * code.lanes)))
        with code.loop(code.lanes) as c:
            channel, row = code.at(v_chunk, c), code.at(u_chunk, b.mul(c, c.type(vectors * code.lanes)))
            us = [code.load(code.at(row, t * code.lanes)) for t in range(vectors)]
            for p in range(TILES):
                pixel = code.load_broadcast(code.at(channel, p * code.lanes))
                for t in range(vectors):
                    code.add_product(sums[p][t], pixel, us[t])
    for p in range(TILES):
        row = code.at(m, b.mul(m_tile, m_tile.type(p)))
        for t in range(vectors):
            code.store(b.load(sums[p][t]), code.at(row, t * code.lanes))


@emitted
def transform_output(
    code: Code, m: Value, m_at: Value, m_point: Value, bias: Value, bias_at: Value,
    z: Value, argmax: Value, z_at: Value, z_row: Value, z_column: Value, with_relu: bool, pool: bool,
) -> None:  # fmt: skip
    """Store z = Aᵀ · m · A + bias of a tile: 4 × 4 pixels, or with ReLU and pooling 2 × 2 and their argmax.

    Steps count elements. with_relu: apply ReLU. pool: apply ReLU and pool.
    """
    b, m, bias = code.builder, code.at(m, m_at), code.load(code.at(bias, bias_at))
    points = [[code.load(code.at(m, b.mul(m_point, m_point.type(6 * i + j)))) for j in range(6)] for i in range(6)]
    y = on_both_sides(apply_a_transposed, code, points)
    for i, j in np.ndindex(2, 2) if pool else np.ndindex(4, 4):
        offset = b.add(b.mul(z_row, z_row.type(i)), b.mul(z_column, z_column.type(j)))
        if pool:
            four = [y[2 * i + p][2 * j + q] for p in range(2) for q in range(2)]
            value, index = relu_max_of_four(code, four, bias)
            code.store(index, code.at(code.at(argmax, z_at), offset))
        else:
            value = b.fadd(y[i][j], bias)
            value = relu(code, value)[0] if with_relu else value
        code.store(value, code.at(code.at(z, z_at), offset))


def _store_points(code: Code, points: list[list[Value]], to: Value, step: Value) -> None:
    for k, value in enumerate(value for row in points for value in row):
        code.store(value, code.at(to, code.builder.mul(step, step.type(k))))
