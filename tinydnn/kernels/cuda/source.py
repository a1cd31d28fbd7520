"""Files of CUDA source, and the launch of what is in them: on a GPU through CuPy, or on an emulated one.

What stands around a launch (checks, shapes of grids, arguments) is the same code for both.
"""

import re
from collections.abc import Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from tinydnn.backend import emulation

HERE = Path(__file__).parent
PLAIN_SHARED = 48 << 10  # bytes of dynamic shared memory that a kernel gets without asking
THREADS = 256  # of a block, where the kernel does not say

_sources: dict[str, "Source"] = {}


class Source:
    """A .cu file and the kernels in it that are used, by their names or, of templates, as in `forward<float>`."""

    def __init__(self, file: str, *kernels: str) -> None:
        self.file, self.kernels = file, kernels
        _sources[file] = self

    @property
    def text(self) -> str:
        """The source with what it includes in it, each line under the name and number that it has in its file."""
        return _with_includes(self.file, set())

    def launch(self, kernel: str, grid: tuple[int, ...], block: int, *arguments: Any, shared: int = 0) -> None:
        """Run a kernel. Arguments: arrays, NumPy numbers of the kernel's own types, and None for an array not there."""
        if kernel not in self.kernels:
            raise ValueError(f"{self.file}: expected one of {', '.join(self.kernels)}, found {kernel}")
        function = _function(self.file, kernel, emulation())
        if shared > PLAIN_SHARED:
            function.max_dynamic_shared_size_bytes = shared
        function(tuple(int(size) for size in grid), (block,), arguments, shared_mem=shared)

    def launch_for_each(self, kernel: str, count: int, *arguments: Any) -> None:
        """Run a kernel with at least `count` threads, a thread for each number."""
        self.launch(kernel, (blocks(count, THREADS),), THREADS, *arguments)


class RawKernel:
    """A kernel of one's own, launched as CuPy's RawKernel is: on CuPy arrays by it, on an emulated GPU on NumPy's.

    code: CUDA source. name: the kernel in it, declared `extern "C"`, or a template's such as `relu<float>`.
    """

    def __init__(self, code: str, name: str) -> None:
        self.code, self.name = code, name

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any], shared_mem: int = 0) -> None:
        """Launch it."""
        function = _compiled(self.code, self.name, emulation())
        function(tuple(grid), tuple(block), tuple(args), shared_mem=shared_mem)


def sources() -> dict[str, Source]:
    """Every file of kernels by its name."""
    return dict(_sources)


def of_types(name: str, *types: tuple[str, ...]) -> list[str]:
    """The kernels that a template makes for each choice of arguments: `of_types("f", ("float", "double"))`."""
    return [f"{name}<{', '.join(chosen)}>" for chosen in product(*types)]


def ctype(dtype: Any) -> str:
    """What C calls a number type."""
    return {"float32": "float", "float64": "double", "int32": "int", "int64": "long long"}[str(np.dtype(dtype))]


def blocks(count: int, each: int) -> int:
    """How many blocks it takes."""
    return -(-count // each)


def int32(*numbers: Any) -> tuple[np.int32, ...]:
    """Whole numbers as a kernel's `int`s."""
    return tuple(np.int32(number) for number in numbers)


@cache
def _function(file: str, kernel: str, orders: tuple[str, ...] | None) -> Any:
    return _compiled(_sources[file].text, kernel, orders)


@cache
def _compiled(text: str, kernel: str, orders: tuple[str, ...] | None) -> Any:
    if orders is not None:
        from tinydnn.kernels.cuda.emulator import Module

        return Module(code=text, name_expressions=[kernel], orders=orders).get_function(kernel)
    import cupy

    names = None if re.search(rf'extern\s+"C"[^;{{]*\b{re.escape(kernel)}\s*\(', text) else [kernel]
    # The name stands in the text because by that alone some versions of CuPy find what they compiled before.
    code = f"// {kernel}\n{text}"
    return cupy.RawModule(code=code, options=("--std=c++17",), name_expressions=names).get_function(kernel)


def _with_includes(file: str, seen: set[str]) -> str:
    """CuPy finds what it compiled before by this text alone, so all that a file includes stands in it, once."""
    seen.add(file)
    lines = [f'#line 1 "{file}"']
    for number, line in enumerate((HERE / file).read_text().splitlines(), start=1):
        if found := re.fullmatch(r'#include "(\w+\.cuh)"', line):
            if found[1] not in seen:
                lines.append(_with_includes(found[1], seen))
            lines.append(f'#line {number + 1} "{file}"')
        else:
            lines.append("" if line == "#pragma once" else line)
    return "\n".join(lines)
