"""What is done with a block of pixels, a vector of channels at a time, as the LLVM code that it becomes.

Channels lie side by side in memory. The block is gone through once for each vector of channels, whose sums and
constants stay in registers. Channels that fill no vector are taken one by one, so that nothing lies beyond the last.
"""

from collections.abc import Iterator
from typing import Any

from numba import types
from numba.extending import intrinsic

from tinydnn.kernels.numba.simd.vectors import INDEX, Code, Value


@intrinsic
def block_moments(typing: Any, to: Any, where: Any, step: Any, count: Any, channels: Any) -> Any:
    """About the mean m, Σ (x − m) and Σ (x − m)² of each channel, in the rows of `to`.

    where: the address of the block's first pixel; step: bytes to the next; count: pixels.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        b, (v_to, v_where, v_step, v_count, v_channels) = builder, args
        for code, c in _vectors(context, builder, to, v_channels):
            total, first, second = (code.variable(code.zero) for _ in range(3))
            with code.loop(v_count) as k:
                _add(code, total, _pixel(code, v_where, v_step, k, c))
            mean = b.fdiv(b.load(total), code.broadcast(b.sitofp(v_count, code.number)))
            with code.loop(v_count) as k:
                apart = b.fsub(_pixel(code, v_where, v_step, k, c), mean)
                _add(code, first, apart)
                code.add_product(second, apart, apart)
            for row, value in enumerate((mean, b.load(first), b.load(second))):
                code.store(value, _in_row(code, to, v_to, row, v_channels, c))
        return context.get_dummy_value()

    return types.void(to, where, step, count, channels), codegen


@intrinsic
def block_sums(
    typing: Any, to: Any, x: Any, x_step: Any, dz: Any, dz_step: Any, count: Any, mean: Any, channels: Any
) -> Any:
    """Σ dz and Σ dz · (x − mean) of each channel, in the rows of `to`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        b, (v_to, vx, vx_step, vdz, vdz_step, v_count, v_mean, v_channels) = builder, args
        for code, c in _vectors(context, builder, to, v_channels):
            centre = code.load(code.pointer(mean, v_mean, c))
            of_dz, of_products = code.variable(code.zero), code.variable(code.zero)
            with code.loop(v_count) as k:
                upstream = _pixel(code, vdz, vdz_step, k, c)
                _add(code, of_dz, upstream)
                code.add_product(of_products, upstream, b.fsub(_pixel(code, vx, vx_step, k, c), centre))
            for row, variable in enumerate((of_dz, of_products)):
                code.store(b.load(variable), _in_row(code, to, v_to, row, v_channels, c))
        return context.get_dummy_value()

    return types.void(to, x, x_step, dz, dz_step, count, mean, channels), codegen


@intrinsic
def block_forward(typing: Any, z: Any, at: Any, x: Any, step: Any, count: Any, constants: Any, channels: Any) -> Any:
    """Write z = (x − mean) · slope + shift from its element `at` on; constants: rows of mean, slope and shift."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        b, (vz, v_at, vx, v_step, v_count, v_constants, v_channels) = builder, args
        for code, c in _vectors(context, builder, z, v_channels):
            mean, slope, shift = _rows(code, constants, v_constants, 3, v_channels, c)
            to = code.pointer(z, vz, b.add(v_at, c))
            with code.loop(v_count) as k:
                apart = b.fsub(_pixel(code, vx, v_step, k, c), mean)
                code.store(code.fma(apart, slope, shift), code.at(to, b.mul(k, v_channels)))
        return context.get_dummy_value()

    return types.void(z, at, x, step, count, constants, channels), codegen


@intrinsic
def block_backward(
    typing: Any, dx: Any, at: Any, x: Any, x_step: Any, dz: Any, dz_step: Any, count: Any, constants: Any, channels: Any
) -> Any:
    """Write dx = (dz − (x − mean) · slope − shift) · gain; constants: rows of mean, slope, shift and gain."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        b, (vdx, v_at, vx, vx_step, vdz, vdz_step, v_count, v_constants, v_channels) = builder, args
        for code, c in _vectors(context, builder, dx, v_channels):
            mean, slope, shift, gain = _rows(code, constants, v_constants, 4, v_channels, c)
            to = code.pointer(dx, vdx, b.add(v_at, c))
            with code.loop(v_count) as k:
                along = b.fmul(b.fsub(_pixel(code, vx, vx_step, k, c), mean), slope)
                flow = b.fsub(b.fsub(_pixel(code, vdz, vdz_step, k, c), shift), along)
                code.store(b.fmul(flow, gain), code.at(to, b.mul(k, v_channels)))
        return context.get_dummy_value()

    return types.void(dx, at, x, x_step, dz, dz_step, count, constants, channels), codegen


def _vectors(context: Any, builder: Any, array_type: Any, channels: Value) -> Iterator[tuple[Code, Value]]:
    """Loops over whole vectors of channels and over those left: what writes the code, and the first channel."""
    lanes = INDEX(Code(context, builder, array_type).lanes)
    whole, left = builder.udiv(channels, lanes), builder.urem(channels, lanes)
    for step, first, times in ((lanes, INDEX(0), whole), (INDEX(1), builder.mul(whole, lanes), left)):
        code = Code(context, builder, array_type, step.constant)
        with code.loop(times) as k:
            yield code, builder.add(first, builder.mul(k, step))


def _pixel(code: Code, where: Value, step: Value, k: Value, c: Value) -> Value:
    """The channels from c on of pixel k."""
    pixel = code.builder.inttoptr(code.builder.add(where, code.builder.mul(k, step)), code.number.as_pointer())
    return code.load(code.at(pixel, c))


def _in_row(code: Code, array_type: Any, array: Value, row: int, columns: Value, c: Value) -> Value:
    """The address of element (row, c) of a matrix without gaps."""
    return code.pointer(array_type, array, code.builder.add(code.builder.mul(columns, INDEX(row)), c))


def _rows(code: Code, array_type: Any, array: Value, rows: int, columns: Value, c: Value) -> list[Value]:
    return [code.load(_in_row(code, array_type, array, row, columns, c)) for row in range(rows)]


def _add(code: Code, variable: Value, value: Value) -> None:
    code.builder.store(code.builder.fadd(code.builder.load(variable), value), variable)
