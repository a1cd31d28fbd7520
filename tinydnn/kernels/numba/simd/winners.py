"""The backward pass of the fused block, from winner to winner.

After 2 × 2 pooling at most one gradient in four is not zero. A winner at p with gradient g adds

    dw[o, u, v, :] += g · x[p + (u, v), :]         dx[p + (u, v), :] += g · w[o, u, v, :]

where `:` is a vector of channels. For one output channel the sums dw[o] and the weights w[o] stay in registers.
"""

from typing import Any

from numba import types
from numba.extending import intrinsic

from tinydnn.kernels.numba.simd.vectors import Code


@intrinsic(prefer_literal=True)
def follow_winners(
    typing: Any,
    x: Any, dx: Any, plane_at: Any, row: Any,
    w: Any, dw: Any, w_at: Any,
    places: Any, gradients: Any, list_at: Any, count: Any,
    kh: Any, kw: Any, need_dx: Any,
) -> Any:  # fmt: skip
    """Add what the listed winners of one output channel mean to dw and dx, for a plane of input channels.

    places: where in the plane a winner's window begins. Literals: kh, kw and whether dx is needed.
    """
    height, width, scatter = kh.literal_value, kw.literal_value, need_dx.literal_value

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code, b = Code(context, builder, x), builder
        vx, vdx, v_plane, v_row, vw, vdw, vw_at, v_places, v_gradients, v_list, v_count, *_ = args
        xs, dxs = code.pointer(x, vx, v_plane), code.pointer(dx, vdx, v_plane)
        weights, to_dw = code.pointer(w, vw, vw_at), code.pointer(dw, vdw, vw_at)
        place_list, gradient_list = code.pointer(places, v_places, v_list), code.pointer(gradients, v_gradients, v_list)
        taps = [(u, v) for u in range(height) for v in range(width)]
        sums = [code.variable(code.load(code.at(to_dw, k * code.lanes))) for k in range(len(taps))]
        ws = [code.load(code.at(weights, k * code.lanes)) for k in range(len(taps))] if scatter else []
        with code.loop(v_count) as n:
            place, g = b.load(code.at(place_list, n)), code.load_broadcast(code.at(gradient_list, n))
            for k, (u, v) in enumerate(taps):
                offset = b.add(b.add(place, b.mul(v_row, v_row.type(u))), place.type(v * code.lanes))
                code.add_product(sums[k], g, code.load(code.at(xs, offset)))
                if scatter:
                    to = code.at(dxs, offset)
                    code.store(code.fma(g, ws[k], code.load(to)), to)
        for k, one in enumerate(sums):
            code.store(b.load(one), code.at(to_dw, k * code.lanes))
        return context.get_dummy_value()

    arguments = x, dx, plane_at, row, w, dw, w_at, places, gradients, list_at, count, kh, kw, need_dx
    return types.void(*arguments), codegen


@intrinsic(prefer_literal=True)
def winners_of_one_channel(
    typing: Any,
    x: Any, x_at: Any, row: Any,
    winner: Any, winner_at: Any, winner_step: Any,
    dz: Any, dz_at: Any, dz_step: Any, count: Any,
    dw: Any, dw_at: Any, db: Any, db_at: Any,
    kh: Any, kw: Any,
) -> Any:  # fmt: skip
    """Where x has one channel, a vector holds output channels: for a row of `count` pooled pixels add to dw and db.

    Each of the four that a pixel pools gets the gradients of the channels in which it won, and zeros.
    """
    height, width = kh.literal_value, kw.literal_value

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code, b = Code(context, builder, x), builder
        vx, vx_at, v_row, v_winner, v_winner_at, v_winner_step, vdz, vdz_at, vdz_step, v_count, *rest = args
        vdw, vdw_at, vdb, vdb_at, *_ = rest
        xs, who_won = code.pointer(x, vx, vx_at), code.pointer(winner, v_winner, v_winner_at)
        gradients = code.pointer(dz, vdz, vdz_at)
        to_dw, to_db = code.pointer(dw, vdw, vdw_at), code.pointer(db, vdb, vdb_at)
        sums = [code.variable(code.load(code.at(to_dw, k * code.lanes))) for k in range(height * width)]
        total = code.variable(code.load(to_db))
        with code.loop(v_count) as j:
            g = code.load(code.at(gradients, b.mul(j, vdz_step)))
            who = code.load(code.at(who_won, b.mul(j, v_winner_step)), code.bytes)
            parts = [b.select(b.icmp_unsigned("==", who, code.code(k)), g, code.zero) for k in range(4)]
            uncut = b.icmp_unsigned("!=", who, code.code(4))
            b.store(b.fadd(b.load(total), b.select(uncut, g, code.zero)), total)
            corner = code.at(xs, b.mul(j, j.type(2)))
            lines = [code.at(corner, b.mul(v_row, v_row.type(r))) for r in range(height + 1)]
            seen = [[code.load_broadcast(code.at(line, c)) for c in range(width + 1)] for line in lines]
            for u in range(height):
                for v in range(width):
                    for k in range(4):
                        code.add_product(sums[u * width + v], parts[k], seen[u + k // 2][v + k % 2])
        for k, one in enumerate(sums):
            code.store(b.load(one), code.at(to_dw, k * code.lanes))
        code.store(b.load(total), to_db)
        return context.get_dummy_value()

    arguments = x, x_at, row, winner, winner_at, winner_step, dz, dz_at, dz_step, count, dw, dw_at, db, db_at, kh, kw
    return types.void(*arguments), codegen
