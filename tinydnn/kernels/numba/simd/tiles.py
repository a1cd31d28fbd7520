"""Tiles of the direct convolution: the sums of a few pixels by a vector or two of output channels, in registers.

For each tap and input channel: load the weights of the output channels once, multiply them by the value of each pixel,
and accumulate. A tile of 2 × 4 pixels and two vectors has 16 sums, enough to keep both multipliers of a core busy, and
loads ten vectors for 16 multiply-adds.
"""

from tinydnn.kernels.numba.simd.layout import Layout
from tinydnn.kernels.numba.simd.pooling import relu, relu_max_of_four
from tinydnn.kernels.numba.simd.vectors import MANY_REGISTERS, Code, Value, emitted

TILE = 16 if MANY_REGISTERS else 8
"""The vectors of sums in a forward tile."""

GRADIENT_GROUP = 8 if MANY_REGISTERS else 4
"""The largest number of output channels in a gradient tile, each with the sums of up to three taps."""


@emitted
def conv_tile(
    code: Code,
    x: Value, x_at: Value, layout: Layout,
    w: Value, w_at: Value, kh: Value, kw: Value, bias: Value, bias_at: Value,
    z: Value, z_at: Value, z_row: Value, z_column: Value,
    chunk: int, vectors: int, stride: int, with_relu: bool,
) -> None:  # fmt: skip
    """Convolve two rows of pixels, add the bias, apply ReLU if asked for, and store.

    z_row, z_column: elements to the next row and pixel. chunk: channels in a plane of x. vectors: of output channels.
    """
    b, pixels = code.builder, TILE // (2 * vectors)
    sums = _sums(code, code.at(x, x_at), layout, code.at(w, w_at), (kh, kw), chunk, (2, pixels, vectors), stride)
    for t in range(vectors):
        bias_t = code.load(code.at(code.at(bias, bias_at), t * code.lanes))
        for r in range(2):
            row = code.at(code.at(z, z_at), b.mul(z_row, z_row.type(r)))
            for p in range(pixels):
                offset = b.add(b.mul(z_column, z_column.type(p)), z_column.type(t * code.lanes))
                value = b.fadd(sums[r][p][t], bias_t)
                code.store(relu(code, value)[0] if with_relu else value, code.at(row, offset))


@emitted
def conv_relu_maxpool_tile(
    code: Code,
    x: Value, x_at: Value, layout: Layout,
    w: Value, w_at: Value, kh: Value, kw: Value, bias: Value, bias_at: Value,
    z: Value, argmax: Value, z_at: Value, z_column: Value,
    one_channel: bool, vectors: int,
) -> None:  # fmt: skip
    """Convolve two rows of pixels, pool each 2 × 2, add the bias and apply ReLU; store value and argmax.

    z_column: elements to the next pooled pixel. one_channel: whether x has one. vectors: of output channels.
    """
    b, pixels, chunk = code.builder, TILE // (2 * vectors), 1 if one_channel else code.lanes
    sums = _sums(code, code.at(x, x_at), layout, code.at(w, w_at), (kh, kw), chunk, (2, pixels, vectors))
    for t in range(vectors):
        bias_t = code.load(code.at(code.at(bias, bias_at), t * code.lanes))
        for q in range(pixels // 2):
            value, index = relu_max_of_four(code, [sums[r][2 * q + p][t] for r in range(2) for p in range(2)], bias_t)
            offset = b.add(b.mul(z_column, z_column.type(q)), z_column.type(t * code.lanes))
            code.store(value, code.at(code.at(z, z_at), offset))
            code.store(index, code.at(code.at(argmax, z_at), offset))


@emitted
def gradient_tile(
    code: Code,
    x: Value, x_at: Value, x_row: Value, x_column: Value,
    dz: Value, dz_at: Value, dz_row: Value, rows: Value, columns: Value,
    dw: Value, dw_at: Value, dw_step: Value, taps: int,
) -> None:  # fmt: skip
    """Add Σ_{i,j} dz[i, j, o] · x[i, j + v, :] over a band of pixels to dw[o, v, :]; `:` is a vector of channels.

    For a group of output channels o (`GRADIENT_GROUP`, or the lanes if fewer) and `taps` neighbouring taps v. x_row,
    x_column: elements between the windows of neighbouring outputs. dw_step: elements to the next o.
    """
    b, group = code.builder, range(min(GRADIENT_GROUP, code.lanes))

    def weight(o: int, v: int) -> Value:
        return code.at(code.at(dw, dw_at), b.add(b.mul(dw_step, dw_step.type(o)), dw_step.type(v * code.lanes)))

    sums = [[code.variable(code.load(weight(o, v))) for v in range(taps)] for o in group]
    with code.loop(rows) as i:
        x_line = code.at(code.at(x, x_at), b.mul(x_row, i))
        dz_line = code.at(code.at(dz, dz_at), b.mul(dz_row, i))
        with code.loop(columns) as j:
            pixel, window = b.mul(j, j.type(code.lanes)), code.at(x_line, b.mul(j, x_column))
            xs = [code.load(code.at(window, v * code.lanes)) for v in range(taps)]
            for o in group:
                g = code.load_broadcast(code.at(code.at(dz_line, pixel), o))
                for v in range(taps):
                    code.add_product(sums[o][v], g, xs[v])
    for o in group:
        for v in range(taps):
            code.store(b.load(sums[o][v]), weight(o, v))


def _sums(
    code: Code, x: Value, layout: Layout, w: Value, kernel: tuple[Value, Value], chunk: int,
    tile: tuple[int, int, int], stride: int = 1,
) -> list[list[list[Value]]]:  # fmt: skip
    """sums[r][p][t] = Σ_{c,u,v} w[t,c,u,v] · x[c, r·s + u, p·s + v] for rows r, pixels p and vectors t of channels."""
    b, (rows, pixels, vectors) = code.builder, tile
    row_stride: Value = layout.row_stride
    sums = [[[code.variable(code.zero) for _ in range(vectors)] for _ in range(pixels)] for _ in range(rows)]
    next_weight = code.variable(w)
    with code.loop(layout.planes) as k:
        plane = code.at(x, b.mul(k, layout.plane_stride))
        with code.loop(kernel[0]) as u:
            row = code.at(plane, b.mul(u, row_stride))
            with code.loop(kernel[1]) as v:
                tap = code.at(row, b.mul(v, v.type(chunk)))
                with code.loop(chunk) as c:
                    weight, corner = b.load(next_weight), code.at(tap, c)
                    ws = [code.load(code.at(weight, t * code.lanes)) for t in range(vectors)]
                    b.store(code.at(weight, vectors * code.lanes), next_weight)
                    for r in range(rows):
                        line = code.at(corner, b.mul(row_stride, row_stride.type(r * stride)))
                        for p in range(pixels):
                            pixel = code.load_broadcast(code.at(line, p * stride * chunk))
                            for t in range(vectors):
                                code.add_product(sums[r][p][t], pixel, ws[t])
    return [[[b.load(variable) for variable in pixel] for pixel in row] for row in sums]
