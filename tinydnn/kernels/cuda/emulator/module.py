"""Kernels that are called as CuPy's are, on NumPy arrays: `module.get_function(name)(grid, block, arguments)`."""

import ctypes
import re
from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from tinydnn.kernels.cuda.emulator.build import EmulatorError, library, line_of, load

ORDERS = ("forward", "reverse", "random")
RED_ZONE = 4096  # bytes between arguments, so that who runs over the end of one does not land in another
MOST_THREADS, MOST_SHARED, PLAIN_SHARED = 1024, 227 << 10, 48 << 10


class Module:
    """The kernels of a source, each compiled when it is asked for. `orders`: those in which threads take turns."""

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
        """The kernel of that name, a name expression such as `forward<float>` where it is a template."""
        plain = name.partition("<")[0]
        known = self.names is None or name in self.names
        if not known or not re.search(rf"__global__[^;{{]*\b{re.escape(plain)}\s*\(", self.code):
            raise EmulatorError(f"{name}: expected the name of a kernel in the source, found none of this name")
        return Function(self.code, name, self.orders)


class Function:
    """A kernel. `max_dynamic_shared_size_bytes` may be raised as on a GPU."""

    def __init__(self, code: str, name: str, orders: Sequence[str] = ORDERS) -> None:
        self.name, self.orders = name, tuple(orders)
        self.max_dynamic_shared_size_bytes = PLAIN_SHARED
        self._path = library(code, name)
        self._library = load(self._path)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The type of each parameter as NumPy names it, with a star before what a pointer points to."""
        self._library.emulator_signature.restype = ctypes.c_char_p
        return tuple(self._library.emulator_signature().decode().split())

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any], *, shared_mem: int = 0
    ) -> None:
        """Run the kernel in each order; a fault, or orders that do not agree, raise `EmulatorError`."""
        sizes = self._checked_sizes(grid, block, shared_mem)
        self._check_types(args)
        results = [_Launch(self, args) for _ in self.orders]
        for order, launch in zip(self.orders, results, strict=True):
            launch.run(sizes, ORDERS.index(order))
        for order, launch in zip(self.orders[1:], results[1:], strict=True):
            if launch.memory.tobytes() != results[0].memory.tobytes():
                raise EmulatorError(
                    f"{self.name}: threads in {order} order give other bits than in {self.orders[0]} order: "
                    "a barrier is missing, or two threads write to one place"
                )
        results[0].give_back()

    def _checked_sizes(self, grid: tuple[int, ...], block: tuple[int, ...], shared: int) -> list[int]:
        sizes = [*_three("grid", grid), *_three("block", block)]
        if prod(sizes[3:]) > MOST_THREADS:
            raise EmulatorError(
                f"{self.name}: expected at most {MOST_THREADS} threads a block, found {prod(sizes[3:])}"
            )
        if max(sizes[1:3]) > 65535:
            raise EmulatorError(f"{self.name}: expected at most 65535 blocks along y and z, found {max(sizes[1:3])}")
        allowed = min(self.max_dynamic_shared_size_bytes, MOST_SHARED)
        if not 0 <= shared <= allowed:
            raise EmulatorError(
                f"{self.name}: expected at most {allowed} bytes of dynamic shared memory, found {shared}"
                + ("; max_dynamic_shared_size_bytes raises it" if shared <= MOST_SHARED else "")
            )
        return [*sizes, int(shared)]

    def _check_types(self, args: Sequence[Any]) -> None:
        if len(args) != len(self.parameters):
            raise EmulatorError(f"{self.name}: expected {len(self.parameters)} arguments, found {len(args)}")
        for number, (arg, expected) in enumerate(zip(args, self.parameters, strict=True)):
            if arg is None and expected.startswith("*"):
                continue
            found = f"*{arg.dtype}" if isinstance(arg, np.ndarray) else _scalar(arg)
            if found != expected and not (expected == "*void" and found.startswith("*")):
                if {found, expected} <= {"*uint8", "*bool"}:
                    continue
                raise EmulatorError(f"{self.name}: argument {number}: expected {_told(expected)}, found {_told(found)}")


class _Launch:
    """Arguments in memory of their own, array after array with red zones between."""

    def __init__(self, function: Function, args: Sequence[Any]) -> None:
        self.function, self.args = function, args
        self.arrays: list[np.ndarray] = []
        self.which: list[int] = []  # the argument that an array came with
        for number, arg in enumerate(args):
            if isinstance(arg, np.ndarray) and arg.size and not any(_same(arg, one) for one in self.arrays):
                self._require_alone(number, arg)
                self.arrays.append(arg)
                self.which.append(number)
        self.starts = []
        end = RED_ZONE
        for one in self.arrays:
            self.starts.append(end)
            end += -(-one.nbytes // 256) * 256 + RED_ZONE
        block = np.full(end + 256, 0xFF, np.uint8)
        self.memory = block[-block.ctypes.data % 256 :][:end]
        for one, start in zip(self.arrays, self.starts, strict=True):
            ctypes.memmove(self._address(start), _low(one), one.nbytes)

    def run(self, sizes: list[int], order: int) -> None:
        cells: list[Any] = []
        for arg in self.args:
            if isinstance(arg, np.ndarray):
                found = [start for one, start in zip(self.arrays, self.starts, strict=True) if _same(arg, one)]
                address = self._address(found[0]) if found else 0
                cells.append(ctypes.c_void_p(address))
            else:
                cells.append(ctypes.c_void_p(0) if arg is None else np.array(arg))
        pointers = [one.ctypes.data if isinstance(one, np.ndarray) else ctypes.addressof(one) for one in cells]
        areas = []
        for one, start in zip(self.arrays, self.starts, strict=True):
            areas += [self._address(start), self._address(start) + one.nbytes, int(one.flags.writeable)]
        library = self.function._library
        library.emulator_kernel.restype = ctypes.c_void_p
        message, where = ctypes.create_string_buffer(512), ctypes.c_ulong()
        failed = library.emulator_run(
            ctypes.c_void_p(library.emulator_kernel()),
            (ctypes.c_void_p * max(len(pointers), 1))(*pointers),
            (ctypes.c_long * 9)(*sizes, order, len(self.arrays)),
            (ctypes.c_void_p * max(len(areas), 1))(*areas),
            message,
            ctypes.byref(where),
        )
        if failed:
            text = re.sub(r"@(\d+)", lambda found: self._name(int(found[1])), message.value.decode())
            place = line_of(self.function._path, where.value) if where.value else ""
            raise EmulatorError(f"{self.function.name}: {text}{place}")

    def give_back(self) -> None:
        """Copy what the kernel wrote to where it belongs."""
        for one, start in zip(self.arrays, self.starts, strict=True):
            if one.flags.writeable:
                ctypes.memmove(_low(one), self._address(start), one.nbytes)

    def _require_alone(self, number: int, arg: np.ndarray) -> None:
        low, high = np.lib.array_utils.byte_bounds(arg)
        backwards = any(step < 0 for size, step in zip(arg.shape, arg.strides, strict=True) if size > 1)
        if high - low != arg.nbytes or backwards:
            raise EmulatorError(
                f"{self.function.name}: argument {number}: expected an array without gaps, found strides {arg.strides}"
            )
        for before, one in zip(self.which, self.arrays, strict=True):
            if low < _low(one) + one.nbytes and _low(one) < high:
                raise EmulatorError(f"{self.function.name}: arguments {before} and {number} overlap in memory")

    def _address(self, offset: int) -> int:
        return self.memory.ctypes.data + offset

    def _name(self, area: int) -> str:
        return f"argument {self.which[area]} ({self.arrays[area].dtype} {self.arrays[area].shape})"


def _low(array: np.ndarray) -> int:
    return np.lib.array_utils.byte_bounds(array)[0]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.size > 0 and np.lib.array_utils.byte_bounds(one) == np.lib.array_utils.byte_bounds(other)


def _three(what: str, sizes: tuple[int, ...]) -> list[int]:
    whole = [*sizes, 1, 1, 1][:3]
    if len(sizes) > 3 or not all(isinstance(size, int | np.integer) and size > 0 for size in whole):
        raise EmulatorError(f"{what}: expected one to three sizes above 0, found {sizes}")
    return [int(size) for size in whole]


def _scalar(arg: Any) -> str:
    """The type of a scalar as CuPy passes it: a number of Python's own goes as 64 bits, which few kernels expect."""
    if isinstance(arg, np.generic):
        return str(arg.dtype)
    if isinstance(arg, bool):
        return "bool"
    if isinstance(arg, int | float):
        return "int64" if isinstance(arg, int) else "float64"
    raise EmulatorError(f"expected an array or a number as an argument of a kernel, found {type(arg).__name__}")


def _told(kind: str) -> str:
    return f"an array of {kind[1:]}" if kind.startswith("*") else kind
