"""Vector registers for Numba: instructions for inner loops whose sums must stay in registers.

Numba spills more than a handful of running sums to memory, which makes a kernel four times slower. Functions decorated
with `emitted` write LLVM code while Numba compiles a kernel: a Python loop is unrolled, `Code.loop` emits a loop. They
work on flat arrays and on offsets into them, counted in elements.
"""

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeAlias

from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

Value: TypeAlias = Any  # an ir.Value
INDEX = ir.IntType(64)
BYTE = ir.IntType(8)


_FEATURES = (config.CPU_FEATURES or get_host_cpu_features()).split(",")  # NUMBA_CPU_FEATURES overrides the host's

VECTOR_BYTES = 64 if "+avx512f" in _FEATURES else 32 if "+avx" in _FEATURES else 16
"""The size of a vector register."""

MANY_REGISTERS = "+avx512f" in _FEATURES or platform.machine() in ("aarch64", "arm64")
"""Whether there are 32 vector registers, not 16."""


def emitted(write: Callable[..., None]) -> Any:
    """A function that compiled code calls, from `write(code, …)`, which emits its instructions there.

    write gets an array as the pointer to its first element, a literal as its Python value, a named tuple with its
    fields, and anything else as an ir.Value. `code` emits vectors of the first array's dtype.
    """

    @wraps(write)
    def define(typing: Any, *kinds: Any) -> Any:
        dtype = next(kind.dtype for kind in kinds if isinstance(kind, types.Array))

        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            code = Code(context, builder, dtype)
            write(code, *map(code.argument, kinds, args))
            return context.get_dummy_value()

        return types.void(*kinds), codegen

    return intrinsic(prefer_literal=True)(define)


class Code:
    """Emits instructions on vectors of a dtype; `lanes`: their elements, by default a full register."""

    def __init__(self, context: Any, builder: ir.IRBuilder, dtype: Any, lanes: int | None = None) -> None:
        self.context, self.builder, self.dtype = context, builder, dtype
        self.element = context.get_data_type(dtype)
        self.lanes = lanes or VECTOR_BYTES // (dtype.bitwidth // 8)
        self.vector = ir.VectorType(self.element, self.lanes)
        self.bytes = ir.VectorType(BYTE, self.lanes)
        self.zero = self.constant(0)

    def argument(self, kind: Any, value: Value) -> Any:
        """An argument of Numba type `kind`, as `emitted` describes it."""
        if isinstance(kind, types.Array):
            return self.context.make_array(kind)(self.context, self.builder, value).data
        if isinstance(kind, types.Literal):
            return kind.literal_value
        if isinstance(kind, types.BaseNamedTuple):
            return kind.instance_class(*(self.builder.extract_value(value, k) for k in range(len(kind))))
        return value

    def at(self, pointer: Value, offset: Value | int) -> Value:
        """The pointer advanced by `offset` elements."""
        return self.builder.gep(pointer, [INDEX(offset) if isinstance(offset, int) else offset])

    def load(self, pointer: Value, kind: ir.Type | None = None) -> Value:
        """Load a vector."""
        kind = kind or self.vector
        return self.builder.load(self.builder.bitcast(pointer, kind.as_pointer()), align=1, typ=kind)

    def load_address(self, address: Value) -> Value:
        """Load a vector from an address."""
        return self.load(self.builder.inttoptr(address, self.element.as_pointer()))

    def store(self, value: Value, pointer: Value) -> None:
        """Store a vector."""
        self.builder.store(value, self.builder.bitcast(pointer, value.type.as_pointer()), align=1)

    def load_broadcast(self, pointer: Value) -> Value:
        """Load an element into every lane."""
        return self.broadcast(self.builder.load(pointer, typ=self.element))

    def broadcast(self, value: Value, kind: ir.Type | None = None) -> Value:
        """The same value in every lane."""
        undefined, lane = ir.Constant(kind or self.vector, ir.Undefined), ir.IntType(32)
        first = self.builder.insert_element(undefined, value, lane(0))
        mask = ir.Constant(ir.VectorType(lane, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, undefined, mask)

    def constant(self, value: float) -> Value:
        """The same constant in every lane."""
        return ir.Constant(self.vector, [float(value)] * self.lanes)

    def byte(self, value: int) -> Value:
        """The same byte in every lane."""
        return ir.Constant(self.bytes, [value] * self.lanes)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """The vector a · b + c, rounded once."""
        suffix = "f32" if isinstance(self.element, ir.FloatType) else "f64"
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        fma = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fma.v{self.lanes}{suffix}")
        return self.builder.call(fma, [a, b, c])

    def add_product(self, variable: Value, a: Value, b: Value) -> None:
        """Add a · b to a variable."""
        self.builder.store(self.fma(a, b, self.builder.load(variable)), variable)

    def variable(self, initial: Value) -> Value:
        """A vector or scalar that emitted loops may change; the optimiser keeps it in a register."""
        return cgutils.alloca_once_value(self.builder, initial)

    @contextmanager
    def loop(self, count: Value | int) -> Iterator[Value]:
        """Emit a loop of `count` iterations around the code in the `with` block; yields the index."""
        times = INDEX(count) if isinstance(count, int) else count
        with cgutils.for_range(self.builder, times, intp=INDEX) as loop:
            yield loop.index
