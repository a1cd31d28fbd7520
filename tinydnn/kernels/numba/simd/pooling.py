"""Max pooling and ReLU on vectors of channels."""

from tinydnn.kernels.numba.simd.vectors import BYTE, Code, Value, emitted


@emitted
def window_max(
    code: Code, address: Value, row: Value, column: Value, z: Value, argmax: Value, z_at: Value, window: int
) -> None:
    """The maximum of a window and its index in reading order; of equals the first, and a NaN before all.

    address: of the window's first pixel. row, column: bytes to the next. window: pixels along each side.
    """
    b, best, index = code.builder, code.constant(float("-inf")), code.byte(0)
    for k in range(window * window):
        offset = b.add(b.mul(row, row.type(k // window)), b.mul(column, column.type(k % window)))
        x = code.load_address(b.add(address, offset))
        # Unordered: greater, or one of the two is a NaN. If that is `best`, it stays.
        better = b.and_(b.fcmp_unordered(">", x, best), b.fcmp_ordered("ord", best, best))
        best, index = b.select(better, x, best), b.select(better, code.byte(k), index)
    code.store(best, code.at(z, z_at))
    code.store(index, code.at(argmax, z_at))


@emitted
def add_where_argmax(code: Code, dz: Value, dz_at: Value, argmax: Value, index: Value, dx: Value, dx_at: Value) -> None:
    """Add a vector of dz to dx in the channels whose argmax is `index`."""
    b = code.builder
    is_argmax = b.icmp_unsigned(
        "==", code.load(code.at(argmax, dz_at), code.bytes), code.broadcast(b.trunc(index, BYTE), code.bytes)
    )
    g, to_dx = b.select(is_argmax, code.load(code.at(dz, dz_at)), code.zero), code.at(dx, dx_at)
    code.store(b.fadd(code.load(to_dx), g), to_dx)


def relu_max_of_four(code: Code, four: list[Value], bias: Value) -> tuple[Value, Value]:
    """max(0, maximum + bias), and the argmax: 0 to 3 in reading order, of equals the first; 4 where ReLU is zero."""
    b, best, index = code.builder, four[0], code.byte(0)
    for k in range(1, 4):
        larger = b.fcmp_ordered(">", four[k], best)
        best, index = b.select(larger, four[k], best), b.select(larger, code.byte(k), index)
    # Comparisons drop a NaN, but training that has diverged must show.
    nan = b.or_(b.fcmp_unordered("uno", four[0], four[1]), b.fcmp_unordered("uno", four[2], four[3]))
    value, is_zero = relu(code, b.fadd(b.select(nan, code.constant(float("nan")), best), bias))
    return value, b.select(is_zero, code.byte(4), index)


def relu(code: Code, z: Value) -> tuple[Value, Value]:
    """max(0, z), and where it is zero; a NaN stays."""
    is_zero = code.builder.fcmp_ordered("<=", z, code.zero)
    return code.builder.select(is_zero, code.zero, z), is_zero
