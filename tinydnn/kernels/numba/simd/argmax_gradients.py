"""Gradients of the fused block, accumulated over the argmax pixels only.

After 2 × 2 pooling at most one gradient in four is not zero. An argmax pixel p with gradient g adds

    dw[o, u, v, :] += g · x[p + (u, v), :]         dx[p + (u, v), :] += g · w[o, u, v, :]

where `:` is a vector of channels. For one output channel the sums dw[o] and the weights w[o] stay in registers.
"""

from tinydnn.kernels.numba.simd.vectors import Code, Value, emitted


@emitted
def accumulate_gradients(
    code: Code,
    x: Value, dx: Value, plane_at: Value, row: Value,
    w: Value, dw: Value, w_at: Value,
    positions: Value, gradients: Value, list_at: Value, count: Value,
    kh: int, kw: int, need_dx: bool,
) -> None:  # fmt: skip
    """Add to dw and dx for the listed argmax pixels of one output channel and a plane of input channels.

    positions: of the first pixel of each window in the plane.
    """
    b, taps = code.builder, [(u, v) for u in range(kh) for v in range(kw)]
    x, dx, w, dw = code.at(x, plane_at), code.at(dx, plane_at), code.at(w, w_at), code.at(dw, w_at)
    positions, gradients = code.at(positions, list_at), code.at(gradients, list_at)
    sums = [code.variable(code.load(code.at(dw, k * code.lanes))) for k in range(len(taps))]
    ws = [code.load(code.at(w, k * code.lanes)) for k in range(len(taps))] if need_dx else []
    with code.loop(count) as n:
        p, g = b.load(code.at(positions, n)), code.load_broadcast(code.at(gradients, n))
        for k, (u, v) in enumerate(taps):
            offset = b.add(b.add(p, b.mul(row, row.type(u))), p.type(v * code.lanes))
            code.add_product(sums[k], g, code.load(code.at(x, offset)))
            if need_dx:
                to_dx = code.at(dx, offset)
                code.store(code.fma(g, ws[k], code.load(to_dx)), to_dx)
    for k, variable in enumerate(sums):
        code.store(b.load(variable), code.at(dw, k * code.lanes))


@emitted
def accumulate_one_channel_gradients(
    code: Code,
    x: Value, x_at: Value, row: Value,
    argmax: Value, argmax_at: Value, argmax_step: Value,
    dz: Value, dz_at: Value, dz_step: Value, count: Value,
    dw: Value, dw_at: Value, db: Value, db_at: Value,
    kh: int, kw: int,
) -> None:  # fmt: skip
    """Add to dw and db for a row of `count` pooled pixels, where x has one channel and a vector holds output channels.

    Each of the four pixels of a window takes the gradients of the channels whose argmax it is, and zeros.
    """
    b = code.builder
    x, argmax, dz = code.at(x, x_at), code.at(argmax, argmax_at), code.at(dz, dz_at)
    dw, db = code.at(dw, dw_at), code.at(db, db_at)
    sums = [code.variable(code.load(code.at(dw, k * code.lanes))) for k in range(kh * kw)]
    total = code.variable(code.load(db))
    with code.loop(count) as j:
        g = code.load(code.at(dz, b.mul(j, dz_step)))
        index = code.load(code.at(argmax, b.mul(j, argmax_step)), code.bytes)
        gs = [b.select(b.icmp_unsigned("==", index, code.byte(k)), g, code.zero) for k in range(4)]
        positive = b.icmp_unsigned("!=", index, code.byte(4))
        b.store(b.fadd(b.load(total), b.select(positive, g, code.zero)), total)
        corner = code.at(x, b.mul(j, j.type(2)))
        lines = [code.at(corner, b.mul(row, row.type(i))) for i in range(kh + 1)]
        pixels = [[code.load_broadcast(code.at(line, c)) for c in range(kw + 1)] for line in lines]
        for u in range(kh):
            for v in range(kw):
                for k in range(4):
                    code.add_product(sums[u * kw + v], gs[k], pixels[u + k // 2][v + k % 2])
    for k, variable in enumerate(sums):
        code.store(b.load(variable), code.at(dw, k * code.lanes))
    code.store(b.load(total), db)
