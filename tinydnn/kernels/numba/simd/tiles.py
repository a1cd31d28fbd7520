"""The forward tile: a few pixels by a vector or two of output channels, whose sums stay in registers.

For each tap and input channel: load the weights of the output channels once, and for each pixel multiply them by the
number seen there and add. A tile of 2 × 4 pixels and two vectors has 16 sums, which is what it takes to keep both
multipliers of a core busy; it reads ten vectors for 16 multiply-adds.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tinydnn.kernels.numba.simd.vectors import MANY_REGISTERS, Code, Value

TILE = 16 if MANY_REGISTERS else 8
"""How many vectors of sums a tile has."""

GRADIENT_GROUP = 8 if MANY_REGISTERS else 4
"""How many output channels a tile of the gradient has at most, each with the sums of up to three taps."""


@intrinsic(prefer_literal=True)
def pooled_tile(
    typing: Any,
    x: Any, x_at: Any, layout: Any,
    w: Any, w_at: Any, kh: Any, kw: Any, bias: Any, bias_at: Any,
    z: Any, winner: Any, z_at: Any, z_step: Any,
    one_channel: Any, vectors: Any,
) -> Any:  # fmt: skip
    """Convolve two rows of pixels, take the largest of each 2 × 2, add the bias, cut below zero; store it and who won.

    `z_step`: elements from one pooled pixel to the next. Literals: whether x has one channel; vectors of channels.
    """
    count = vectors.literal_value
    pixels = TILE // (2 * count)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, x)
        vx, vx_at, v_layout, vw, vw_at, v_kh, v_kw, v_bias, v_bias_at, vz, v_winner, vz_at, step, *_ = args
        planes = code.fields(layout, v_layout)
        chunk = 1 if one_channel.literal_value else code.lanes
        seen, weights = code.pointer(x, vx, vx_at), code.pointer(w, vw, vw_at)
        sums = _sums(code, seen, planes, weights, (v_kh, v_kw), chunk, (2, pixels, count))
        to, to_winner = code.pointer(z, vz, vz_at), code.pointer(winner, v_winner, vz_at)
        for t in range(count):
            bias_of = code.load(code.at(code.pointer(bias, v_bias, v_bias_at), t * code.lanes))
            for q in range(pixels // 2):
                best, who = best_of_four(code, [sums[r][2 * q + p][t] for r in range(2) for p in range(2)], bias_of)
                offset = builder.add(builder.mul(step, step.type(q)), step.type(t * code.lanes))
                code.store(best, code.at(to, offset))
                code.store(who, code.at(to_winner, offset))
        return context.get_dummy_value()

    arguments = x, x_at, layout, w, w_at, kh, kw, bias, bias_at, z, winner, z_at, z_step, one_channel, vectors
    return types.void(*arguments), codegen


@intrinsic(prefer_literal=True)
def plain_tile(
    typing: Any,
    x: Any, x_at: Any, layout: Any,
    w: Any, w_at: Any, kh: Any, kw: Any, bias: Any, bias_at: Any,
    z: Any, z_at: Any, z_row: Any, z_step: Any,
    chunk: Any, vectors: Any, stride: Any, relu: Any,
) -> Any:  # fmt: skip
    """Convolve two rows of pixels, add the bias, cut off below zero where it is asked for, store.

    `z_row`, `z_step`: elements to the next row, the next pixel. Literals: channels of x side by side, vectors of output
    channels, stride, whether to cut off.
    """
    count, side_by_side, step_of_x = vectors.literal_value, chunk.literal_value, stride.literal_value
    pixels = TILE // (2 * count)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, x)
        vx, vx_at, v_layout, vw, vw_at, v_kh, v_kw, v_bias, v_bias_at, vz, vz_at, z_line, step, *_ = args
        seen, weights, planes = code.pointer(x, vx, vx_at), code.pointer(w, vw, vw_at), code.fields(layout, v_layout)
        sums = _sums(code, seen, planes, weights, (v_kh, v_kw), side_by_side, (2, pixels, count), step_of_x)
        for t in range(count):
            bias_of = code.load(code.at(code.pointer(bias, v_bias, v_bias_at), t * code.lanes))
            for r in range(2):
                line = code.at(code.pointer(z, vz, vz_at), builder.mul(z_line, z_line.type(r)))
                for p in range(pixels):
                    offset = builder.add(builder.mul(step, step.type(p)), step.type(t * code.lanes))
                    value = builder.fadd(sums[r][p][t], bias_of)
                    code.store(cut_off(code, value)[0] if relu.literal_value else value, code.at(line, offset))
        return context.get_dummy_value()

    arguments = x, x_at, layout, w, w_at, kh, kw, bias, bias_at, z, z_at, z_row, z_step, chunk, vectors, stride, relu
    return types.void(*arguments), codegen


@intrinsic(prefer_literal=True)
def gradient_tile(
    typing: Any,
    x: Any, x_at: Any, x_row: Any, x_step: Any, dz: Any, dz_at: Any, dz_row: Any, rows: Any, columns: Any,
    dw: Any, dw_at: Any, dw_step: Any, taps: Any,
) -> Any:  # fmt: skip
    """Add to dw, for a group of output channels and `taps` neighbouring taps, what a band of pixels says.

    dw[o, v, :] += Σ dz[p, o] · x[p + v, :], where `:` is a vector of input channels. Steps count elements: `x_step`
    from the pixel that an output sees to that of the next output, `dw_step` to the next output channel. Literals: taps;
    the group's size is the lesser of `GRADIENT_GROUP` and the lanes.
    """
    many = taps.literal_value

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code, b = Code(context, builder, x), builder
        vx, vx_at, vx_row, vx_step, vdz, vdz_at, vdz_row, v_rows, v_columns, vdw, vdw_at, step, *_ = args
        to_dw, group = code.pointer(dw, vdw, vdw_at), range(min(GRADIENT_GROUP, code.lanes))
        places = [
            [code.at(to_dw, b.add(b.mul(step, step.type(o)), step.type(v * code.lanes))) for v in range(many)]
            for o in group
        ]
        sums = [[code.variable(code.load(place)) for place in line] for line in places]
        with code.loop(v_rows) as i:
            x_line = code.at(code.pointer(x, vx, vx_at), b.mul(vx_row, i))
            dz_line = code.at(code.pointer(dz, vdz, vdz_at), b.mul(vdz_row, i))
            with code.loop(v_columns) as j:
                pixel, window = b.mul(j, j.type(code.lanes)), code.at(x_line, b.mul(j, vx_step))
                seen = [code.load(code.at(window, v * code.lanes)) for v in range(many)]
                for o in group:
                    g = code.load_broadcast(code.at(code.at(dz_line, pixel), o))
                    for v in range(many):
                        code.add_product(sums[o][v], g, seen[v])
        for line, of_line in zip(places, sums, strict=True):
            for place, one in zip(line, of_line, strict=True):
                code.store(b.load(one), place)
        return context.get_dummy_value()

    arguments = x, x_at, x_row, x_step, dz, dz_at, dz_row, rows, columns, dw, dw_at, dw_step, taps
    return types.void(*arguments), codegen


def _sums(
    code: Code, x: Value, planes: Any, w: Value, kernel: tuple[Value, Value], chunk: int, tile: tuple[int, int, int],
    stride: int = 1,
) -> list[list[list[Value]]]:  # fmt: skip
    """sum[r][p][t] = Σ w[t, c, u, v] · x[c, r·s + u, p·s + v], of rows, pixels, vectors of output channels."""
    b, (rows, pixels, vectors) = code.builder, tile
    sums = [[[code.variable(code.zero) for _ in range(vectors)] for _ in range(pixels)] for _ in range(rows)]
    next_weight = code.variable(w)
    with code.loop(planes.number) as k:
        of_plane = code.at(x, b.mul(k, planes.plane))
        with code.loop(kernel[0]) as u:
            of_row = code.at(of_plane, b.mul(u, planes.row))
            with code.loop(kernel[1]) as v:
                of_tap = code.at(of_row, b.mul(v, v.type(chunk)))
                with code.loop(chunk) as c:
                    weight, corner = b.load(next_weight), code.at(of_tap, c)
                    ws = [code.load(code.at(weight, t * code.lanes)) for t in range(vectors)]
                    b.store(code.at(weight, vectors * code.lanes), next_weight)
                    for r in range(rows):
                        line = code.at(corner, b.mul(planes.row, planes.row.type(r * stride)))
                        for p in range(pixels):
                            seen = code.load_broadcast(code.at(line, p * stride * chunk))
                            for t in range(vectors):
                                code.add_product(sums[r][p][t], seen, ws[t])
    return [[[b.load(one) for one in pixel] for pixel in line] for line in sums]


def best_of_four(code: Code, four: list[Value], bias: Value) -> tuple[Value, Value]:
    """max(0, largest + bias), and who it was: 0 to 3 in reading order, of equals the first; 4 where it was cut off."""
    b, best, who = code.builder, four[0], code.code(0)
    for k in range(1, 4):
        larger = b.fcmp_ordered(">", four[k], best)
        best, who = b.select(larger, four[k], best), b.select(larger, code.code(k), who)
    # A comparison loses a NaN, and a training that has diverged must show.
    lost = b.or_(b.fcmp_unordered("uno", four[0], four[1]), b.fcmp_unordered("uno", four[2], four[3]))
    best = b.fadd(b.select(lost, ir.Constant(code.vector, [float("nan")] * code.lanes), best), bias)
    value, cut = cut_off(code, best)
    return value, b.select(cut, code.code(4), who)


def cut_off(code: Code, value: Value) -> tuple[Value, Value]:
    """max(0, value), and where it was cut off; a NaN stays."""
    cut = code.builder.fcmp_ordered("<=", value, code.zero)
    return code.builder.select(cut, code.zero, value), cut
