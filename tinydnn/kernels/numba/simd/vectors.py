"""Vector registers for Numba: inner loops whose sums must stay in registers, as the LLVM code that they become.

Numba keeps more than a handful of running sums in memory, and a kernel with them there is four times slower. The
functions marked `intrinsic` are written out when Numba compiles a kernel: a loop over Python's `range` is unrolled into
instructions, `Code.loop` is a loop that runs. They work on flat arrays and on offsets into them, counted in elements.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from llvmlite import ir
from numba.core import cgutils, config
from numba.core.codegen import get_host_cpu_features

Value: TypeAlias = Any  # an ir.Value
INDEX = ir.IntType(64)
BYTE = ir.IntType(8)


_FEATURES = (config.CPU_FEATURES or get_host_cpu_features()).split(",")  # NUMBA_CPU_FEATURES, or what there is

VECTOR_BYTES = 64 if "+avx512f" in _FEATURES else 32 if "+avx" in _FEATURES else 16
"""The size of a vector register."""

MANY_REGISTERS = "+avx512f" in _FEATURES or platform.machine() in ("aarch64", "arm64")
"""Whether there are 32 of them, not 16."""


class Code:
    """Writes instructions on vectors of the numbers that `array_type` holds: of `lanes`, or as many as fit."""

    def __init__(self, context: Any, builder: ir.IRBuilder, array_type: Any, lanes: int | None = None) -> None:
        self.context, self.builder = context, builder
        self.number = context.get_data_type(array_type.dtype)
        self.lanes = lanes or VECTOR_BYTES // (array_type.dtype.bitwidth // 8)
        self.vector = ir.VectorType(self.number, self.lanes)
        self.bytes = ir.VectorType(BYTE, self.lanes)
        self.zero = ir.Constant(self.vector, [0.0] * self.lanes)

    def pointer(self, array_type: Any, array: Any, at: Value | None = None) -> Value:
        """The address of an array's element `at`."""
        data = self.context.make_array(array_type)(self.context, self.builder, array).data
        return data if at is None else self.builder.gep(data, [at])

    def at(self, pointer: Value, offset: Value | int) -> Value:
        """The address so many elements further on."""
        return self.builder.gep(pointer, [INDEX(offset) if isinstance(offset, int) else offset])

    def load(self, pointer: Value, kind: ir.Type | None = None) -> Value:
        """A vector from memory."""
        kind = kind or self.vector
        return self.builder.load(self.builder.bitcast(pointer, kind.as_pointer()), align=1, typ=kind)

    def store(self, value: Value, pointer: Value) -> None:
        """A vector to memory."""
        self.builder.store(value, self.builder.bitcast(pointer, value.type.as_pointer()), align=1)

    def load_broadcast(self, pointer: Value) -> Value:
        """One number from memory in every lane."""
        return self.broadcast(self.builder.load(pointer, typ=self.number))

    def broadcast(self, number: Value) -> Value:
        """One number in every lane."""
        undefined, lane = ir.Constant(self.vector, ir.Undefined), ir.IntType(32)
        first = self.builder.insert_element(undefined, number, lane(0))
        return self.builder.shuffle_vector(
            first, undefined, ir.Constant(ir.VectorType(lane, self.lanes), [0] * self.lanes)
        )

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """The vector a · b + c, rounded once."""
        suffix = "f32" if isinstance(self.number, ir.FloatType) else "f64"
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        fma = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fma.v{self.lanes}{suffix}")
        return self.builder.call(fma, [a, b, c])

    def code(self, number: int) -> Value:
        """The same byte in every lane."""
        return ir.Constant(self.bytes, [number] * self.lanes)

    def add_product(self, variable: Value, a: Value, b: Value) -> None:
        """Add a · b to a variable."""
        self.builder.store(self.fma(a, b, self.builder.load(variable)), variable)

    def fields(self, tuple_type: Any, value: Value) -> Any:
        """The values of a named tuple, under their names."""
        values = [self.builder.extract_value(value, k) for k in range(len(tuple_type.types))]
        return tuple_type.instance_class(*values)

    def variable(self, initial: Value) -> Value:
        """A vector or number that loops may change; the optimiser keeps it in a register."""
        return cgutils.alloca_once_value(self.builder, initial)

    @contextmanager
    def loop(self, count: Value | int) -> Iterator[Value]:
        """A loop that runs `count` times; gives the index."""
        times = INDEX(count) if isinstance(count, int) else count
        with cgutils.for_range(self.builder, times, intp=INDEX) as loop:
            yield loop.index
