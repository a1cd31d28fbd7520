"""Sums and element-wise passes over a block of pixels, a vector of channels at a time.

Channels are contiguous in memory. Each vector of channels takes one pass over the block, with its sums and constants in
registers. Channels that do not fill a vector are taken one by one, so that nothing past the last is read.

In all functions x, dz: address of the block's first pixel. x_step, dz_step: bytes to the next. count: pixels.
"""

from collections.abc import Iterator

from tinydnn.kernels.numba.simd.vectors import INDEX, Code, Value, emitted


@emitted
def block_moments(full: Code, to: Value, x: Value, x_step: Value, count: Value, channels: Value) -> None:
    """The mean m (rounded), Σ (x − m) and Σ (x − m)² of each channel, in the rows of `to`."""
    b = full.builder
    for code, c in _vectors(full, channels):
        total, first, second = (code.variable(code.zero) for _ in range(3))
        with code.loop(count) as k:
            _add(code, total, _pixel(code, x, x_step, k, c))
        m = b.fdiv(b.load(total), code.broadcast(b.sitofp(count, code.element)))
        with code.loop(count) as k:
            deviation = b.fsub(_pixel(code, x, x_step, k, c), m)
            _add(code, first, deviation)
            code.add_product(second, deviation, deviation)
        for row, value in enumerate((m, b.load(first), b.load(second))):
            code.store(value, _in_row(code, to, row, channels, c))


@emitted
def block_sums(
    full: Code, to: Value, x: Value, x_step: Value, dz: Value, dz_step: Value, count: Value, mean: Value,
    channels: Value,
) -> None:  # fmt: skip
    """Σ dz and Σ dz · (x − μ) of each channel, in the rows of `to`."""
    b = full.builder
    for code, c in _vectors(full, channels):
        mu = code.load(code.at(mean, c))
        dz_sum, product_sum = code.variable(code.zero), code.variable(code.zero)
        with code.loop(count) as k:
            g = _pixel(code, dz, dz_step, k, c)
            _add(code, dz_sum, g)
            code.add_product(product_sum, g, b.fsub(_pixel(code, x, x_step, k, c), mu))
        for row, variable in enumerate((dz_sum, product_sum)):
            code.store(b.load(variable), _in_row(code, to, row, channels, c))


@emitted
def block_affine(
    full: Code, z: Value, z_at: Value, x: Value, x_step: Value, count: Value, constants: Value, channels: Value
) -> None:
    """Write z = (x − μ) · scale + β from element `z_at` on; constants: rows of μ, scale and β."""
    b = full.builder
    for code, c in _vectors(full, channels):
        mu, scale, beta = (code.load(_in_row(code, constants, row, channels, c)) for row in range(3))
        to_z = code.at(z, b.add(z_at, c))
        with code.loop(count) as k:
            deviation = b.fsub(_pixel(code, x, x_step, k, c), mu)
            code.store(code.fma(deviation, scale, beta), code.at(to_z, b.mul(k, channels)))


@emitted
def block_batchnorm_gradient(
    full: Code, dx: Value, dx_at: Value, x: Value, x_step: Value, dz: Value, dz_step: Value, count: Value,
    constants: Value, channels: Value,
) -> None:  # fmt: skip
    """Write dx = scale · (dz − dβ/M − (x − μ) · slope); constants: rows of μ, scale, dβ/M and slope."""
    b = full.builder
    for code, c in _vectors(full, channels):
        mu, scale, dbeta_mean, slope = (code.load(_in_row(code, constants, row, channels, c)) for row in range(4))
        to_dx = code.at(dx, b.add(dx_at, c))
        with code.loop(count) as k:
            along_x = b.fmul(b.fsub(_pixel(code, x, x_step, k, c), mu), slope)
            centred = b.fsub(b.fsub(_pixel(code, dz, dz_step, k, c), dbeta_mean), along_x)
            code.store(b.fmul(centred, scale), code.at(to_dx, b.mul(k, channels)))


def _vectors(full: Code, channels: Value) -> Iterator[tuple[Code, Value]]:
    """Emit a loop over full vectors of channels and one over the rest; yields the emitter and the first channel."""
    b, lanes = full.builder, INDEX(full.lanes)
    whole, rest = b.udiv(channels, lanes), b.urem(channels, lanes)
    for step, first, times in ((lanes, INDEX(0), whole), (INDEX(1), b.mul(whole, lanes), rest)):
        code = Code(full.context, b, full.dtype, step.constant)
        with code.loop(times) as k:
            yield code, b.add(first, b.mul(k, step))


def _pixel(code: Code, address: Value, step: Value, k: Value, c: Value) -> Value:
    """The channels from c on of pixel k."""
    pointer = code.builder.inttoptr(code.builder.add(address, code.builder.mul(k, step)), code.element.as_pointer())
    return code.load(code.at(pointer, c))


def _in_row(code: Code, matrix: Value, row: int, columns: Value, c: Value) -> Value:
    """A pointer to element (row, c) of a contiguous matrix."""
    return code.at(matrix, code.builder.add(code.builder.mul(columns, INDEX(row)), c))


def _add(code: Code, variable: Value, value: Value) -> None:
    code.builder.store(code.builder.fadd(code.builder.load(variable), value), variable)
