"""Emulated kernels with CuPy's interface, on NumPy arrays: `module.get_function(name)(grid, block, arguments)`."""

import ctypes
import re
from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from tinydnn.kernels.cuda.emulator.build import EmulatorError, library, line_of, load

ORDERS = ("forward", "reverse", "random")
RED_ZONE = 4096  # bytes between arrays, so that an access past the end of one does not reach another
MAX_THREADS, MAX_SHARED, DEFAULT_SHARED = 1024, 227 << 10, 48 << 10


class Module:
    """The kernels of a source, each compiled on request. orders: the thread orders of every launch."""

    def __init__(
        self,
        *,
        code: str,
        options: tuple[str, ...] = (),
        name_expressions: Sequence[str] | None = None,
        orders: Sequence[str] = ORDERS,
    ) -> None:
        self.code, self.names, self.orders = code, name_expressions, orders

    def get_function(self, name: str) -> "Function":
        """The kernel `name`; of a template, a name expression such as `forward<float>`."""
        plain = name.partition("<")[0]
        listed = self.names is None or name in self.names
        if not listed or not re.search(rf"__global__[^;{{]*\b{re.escape(plain)}\s*\(", self.code):
            raise EmulatorError(f"{name}: expected the name of a kernel in the source, found none of this name")
        return Function(self.code, name, self.orders)


class Function:
    """A kernel. As on a GPU, more than 48 KiB of dynamic shared memory need `max_dynamic_shared_size_bytes`."""

    def __init__(self, code: str, name: str, orders: Sequence[str] = ORDERS) -> None:
        self.name, self.orders = name, tuple(orders)
        self.max_dynamic_shared_size_bytes = DEFAULT_SHARED
        self._path = library(code, name)
        self._library = load(self._path)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The NumPy type of each parameter; for a pointer, "*" and the type it points to."""
        self._library.emulator_signature.restype = ctypes.c_char_p
        return tuple(self._library.emulator_signature().decode().split())

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any], *, shared_mem: int = 0
    ) -> None:
        """Run the kernel in each thread order.

        Raises `EmulatorError` for a fault, or if the orders give different bits; the arrays then stay unchanged.
        """
        sizes = self._checked_sizes(grid, block, shared_mem)
        self._check_types(args)
        launches = [_Launch(self, args) for _ in self.orders]
        for order, launch in zip(self.orders, launches, strict=True):
            launch.run(sizes, ORDERS.index(order))
        for order, launch in zip(self.orders[1:], launches[1:], strict=True):
            if launch.memory.tobytes() != launches[0].memory.tobytes():
                raise EmulatorError(
                    f"{self.name}: threads in {order} order give different bits from {self.orders[0]} order: "
                    "a barrier is missing, or two threads write to the same address"
                )
        launches[0].copy_back()

    def _checked_sizes(self, grid: tuple[int, ...], block: tuple[int, ...], shared: int) -> list[int]:
        sizes = [*_three_sizes("grid", grid), *_three_sizes("block", block)]
        if prod(sizes[3:]) > MAX_THREADS:
            raise EmulatorError(f"{self.name}: expected at most {MAX_THREADS} threads a block, found {prod(sizes[3:])}")
        if max(sizes[1:3]) > 65535:
            raise EmulatorError(f"{self.name}: expected at most 65535 blocks along y and z, found {max(sizes[1:3])}")
        allowed = min(self.max_dynamic_shared_size_bytes, MAX_SHARED)
        if not 0 <= shared <= allowed:
            raise EmulatorError(
                f"{self.name}: expected at most {allowed} bytes of dynamic shared memory, found {shared}"
                + ("; max_dynamic_shared_size_bytes raises it" if shared <= MAX_SHARED else "")
            )
        return [*sizes, int(shared)]

    def _check_types(self, args: Sequence[Any]) -> None:
        if len(args) != len(self.parameters):
            raise EmulatorError(f"{self.name}: expected {len(self.parameters)} arguments, found {len(args)}")
        for number, (arg, expected) in enumerate(zip(args, self.parameters, strict=True)):
            if arg is None and expected.startswith("*"):
                continue
            found = f"*{arg.dtype}" if isinstance(arg, np.ndarray) else _scalar_type(arg)
            any_array = expected == "*void" and found.startswith("*")
            if found != expected and not any_array and not {found, expected} <= {"*uint8", "*bool"}:
                raise EmulatorError(
                    f"{self.name}: argument {number}: expected {_described(expected)}, found {_described(found)}"
                )


class _Launch:
    """Copies of the arguments in one block of memory, with red zones between the arrays."""

    def __init__(self, function: Function, args: Sequence[Any]) -> None:
        self.function, self.args = function, args
        self.arrays: list[np.ndarray] = []
        self.numbers: list[int] = []  # the argument number of each array
        for number, arg in enumerate(args):
            if isinstance(arg, np.ndarray) and arg.size and not any(_same(arg, array) for array in self.arrays):
                self._check_memory(number, arg)
                self.arrays.append(arg)
                self.numbers.append(number)
        starts, end = [], RED_ZONE
        for array in self.arrays:
            starts.append(end)
            end += -(-array.nbytes // 256) * 256 + RED_ZONE
        block = np.full(end + 256, 0xFF, np.uint8)
        self.memory = block[-block.ctypes.data % 256 :][:end]
        self.addresses = [self.memory.ctypes.data + start for start in starts]
        for array, address in zip(self.arrays, self.addresses, strict=True):
            ctypes.memmove(address, _low(array), array.nbytes)

    def run(self, sizes: list[int], order: int) -> None:
        cells = [self._cell(arg) for arg in self.args]
        pointers = [cell.ctypes.data if isinstance(cell, np.ndarray) else ctypes.addressof(cell) for cell in cells]
        areas = []
        for array, address in zip(self.arrays, self.addresses, strict=True):
            areas += [address, address + array.nbytes, int(array.flags.writeable)]
        library = self.function._library
        library.emulator_kernel.restype = ctypes.c_void_p
        message, code_offset = ctypes.create_string_buffer(512), ctypes.c_ulong()
        failed = library.emulator_run(
            ctypes.c_void_p(library.emulator_kernel()),
            (ctypes.c_void_p * max(len(pointers), 1))(*pointers),
            (ctypes.c_long * 9)(*sizes, order, len(self.arrays)),
            (ctypes.c_void_p * max(len(areas), 1))(*areas),
            message,
            ctypes.byref(code_offset),
        )
        if failed:
            text = re.sub(r"@(\d+)", lambda area: self._name(int(area[1])), message.value.decode())
            line = line_of(self.function._path, code_offset.value) if code_offset.value else ""
            raise EmulatorError(f"{self.function.name}: {text}{line}")

    def copy_back(self) -> None:
        """Copy what the kernel wrote back to the arrays."""
        for array, address in zip(self.arrays, self.addresses, strict=True):
            if array.flags.writeable:
                ctypes.memmove(_low(array), address, array.nbytes)

    def _cell(self, arg: Any) -> Any:
        """The memory that holds the value of a parameter: a scalar, or the address of an array's copy."""
        if isinstance(arg, np.ndarray):
            copies = zip(self.arrays, self.addresses, strict=True)
            return ctypes.c_void_p(next((address for array, address in copies if _same(arg, array)), 0))
        return ctypes.c_void_p(0) if arg is None else np.array(arg)

    def _check_memory(self, number: int, arg: np.ndarray) -> None:
        low, high = np.lib.array_utils.byte_bounds(arg)
        backwards = any(step < 0 for size, step in zip(arg.shape, arg.strides, strict=True) if size > 1)
        if high - low != arg.nbytes or backwards:
            raise EmulatorError(
                f"{self.function.name}: argument {number}: expected an array without gaps, found strides {arg.strides}"
            )
        for other, array in zip(self.numbers, self.arrays, strict=True):
            if low < _low(array) + array.nbytes and _low(array) < high:
                raise EmulatorError(f"{self.function.name}: arguments {other} and {number} overlap in memory")

    def _name(self, area: int) -> str:
        return f"argument {self.numbers[area]} ({self.arrays[area].dtype} {self.arrays[area].shape})"


def _low(array: np.ndarray) -> int:
    return np.lib.array_utils.byte_bounds(array)[0]


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.size > 0 and np.lib.array_utils.byte_bounds(a) == np.lib.array_utils.byte_bounds(b)


def _three_sizes(name: str, sizes: tuple[int, ...]) -> list[int]:
    three = [*sizes, 1, 1, 1][:3]
    if len(sizes) > 3 or not all(isinstance(size, int | np.integer) and size > 0 for size in three):
        raise EmulatorError(f"{name}: expected one to three sizes above 0, found {sizes}")
    return [int(size) for size in three]


def _scalar_type(arg: Any) -> str:
    """The type in which CuPy passes a scalar: Python numbers take 64 bits, which few kernels expect."""
    if isinstance(arg, np.generic):
        return str(arg.dtype)
    if isinstance(arg, bool):
        return "bool"
    if isinstance(arg, int | float):
        return "int64" if isinstance(arg, int) else "float64"
    raise EmulatorError(f"expected an array or a number as an argument of a kernel, found {type(arg).__name__}")


def _described(kind: str) -> str:
    return f"an array of {kind[1:]}" if kind.startswith("*") else kind
