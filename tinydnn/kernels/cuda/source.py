"""CUDA source files, and the launch of their kernels: on a GPU through CuPy, or on an emulated GPU.

Both take the same checks, grids and arguments.
"""

import re
from collections.abc import Sequence
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from tinydnn.backend import emulation

FOLDER = Path(__file__).parent
DEFAULT_SHARED = 48 << 10  # bytes of dynamic shared memory that a kernel may use without opting in

_sources: dict[str, "Source"] = {}


class Source:
    """A .cu file and the names of its kernels. A template is named with its arguments, as in `forward<float>`."""

    def __init__(self, file: str, *kernels: str) -> None:
        self.file, self.kernels = file, kernels
        _sources[file] = self

    @cached_property
    def text(self) -> str:
        """The source with its includes inserted. `#line` directives keep the file name and number of each line."""
        return _with_includes(self.file, set())

    @cache  # noqa: B019 - a source lives as long as the program
    def constant(self, name: str, **template: int) -> int:
        """The value of a `constexpr int` that the source declares outside functions, such as a tile size.

        template: the arguments of a variable template. Sizes are thus declared once, in CUDA. An expression may use
        other such constants, + - * / and parentheses. Raises `ValueError` for a missing or unreadable declaration.
        """
        if name in template:
            return template[name]
        declaration = rf"^(?:template <[^>]+> )?constexpr int (?:[^;]+,\s+)?{name} = ([^,;]+)[,;]"
        match = re.search(declaration, self.text, re.MULTILINE)
        if match is None:
            raise ValueError(f"{self.file}: expected `constexpr int {name}` outside functions, found none")
        expression = re.sub(r"[A-Za-z_]\w*", lambda word: str(self.constant(word[0], **template)), match[1])
        if not re.fullmatch(r"[\d\s()*/+-]+", expression):
            raise ValueError(f"{self.file}: {name}: expected integers, + - * / and parentheses, found {match[1]!r}")
        return int(eval(expression.replace("/", "//")))

    def launch(self, kernel: str, grid: tuple[int, ...], block: int, *arguments: Any, shared: int = 0) -> None:
        """Launch a kernel. Arguments: arrays, NumPy scalars of the parameters' types, None for a null pointer.

        shared: bytes of dynamic shared memory. Raises `ValueError` for an unknown kernel.
        """
        if kernel not in self.kernels:
            raise ValueError(f"{self.file}: expected one of {', '.join(self.kernels)}, found {kernel}")
        function = _compiled(self.text, kernel, emulation())
        if shared > DEFAULT_SHARED:
            function.max_dynamic_shared_size_bytes = shared
        function(tuple(int(size) for size in grid), (block,), arguments, shared_mem=shared)

    def launch_for_each(self, kernel: str, count: int, *arguments: Any) -> None:
        """Launch a kernel with one thread for each of `count` elements, in blocks of `THREADS` (`threads.cuh`)."""
        threads = self.constant("THREADS")
        self.launch(kernel, (blocks(count, threads),), threads, *arguments)


class RawKernel:
    """A kernel of your own, with the interface of CuPy's `RawKernel`; on an emulated GPU it takes NumPy arrays.

    code: CUDA source. name: a kernel in it, declared `extern "C"`, or a template such as `relu<float>`.
    """

    def __init__(self, code: str, name: str) -> None:
        self.code, self.name = code, name

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any], shared_mem: int = 0) -> None:
        """Launch the kernel."""
        function = _compiled(self.code, self.name, emulation())
        function(tuple(grid), tuple(block), tuple(args), shared_mem=shared_mem)


def sources() -> dict[str, Source]:
    """All CUDA sources by file name."""
    return dict(_sources)


def instances(template: str, *arguments: Sequence[str]) -> list[str]:
    """A template's kernels for every combination of arguments: `instances("f", ("float", "double"))`."""
    return [f"{template}<{', '.join(combination)}>" for combination in product(*arguments)]


def for_floats(*templates: str) -> list[str]:
    """The kernels of each template for float and double."""
    return [f"{template}<{kind}>" for template in templates for kind in ("float", "double")]


def ctype(dtype: Any) -> str:
    """The C type of a NumPy dtype."""
    return {"float32": "float", "float64": "double", "int32": "int", "int64": "long long"}[str(np.dtype(dtype))]


def blocks(count: int, size: int) -> int:
    """The number of blocks of a size that cover `count` elements: ⌈count / size⌉."""
    return -(-count // size)


def int32(*values: Any) -> tuple[np.int32, ...]:
    """Integers as `int` arguments of a kernel."""
    return tuple(np.int32(value) for value in values)


@cache
def _compiled(text: str, kernel: str, orders: tuple[str, ...] | None) -> Any:
    if orders is not None:
        from tinydnn.kernels.cuda.emulator import Module

        return Module(code=text, name_expressions=[kernel], orders=orders).get_function(kernel)
    import cupy

    names = None if re.search(rf'extern\s+"C"[^;{{]*\b{re.escape(kernel)}\s*\(', text) else [kernel]
    # Some versions of CuPy key their disk cache on the text alone, so it must contain the name.
    code = f"// {kernel}\n{text}"
    return cupy.RawModule(code=code, options=("--std=c++17",), name_expressions=names).get_function(kernel)


def _with_includes(file: str, included: set[str]) -> str:
    """Insert each header once. CuPy's disk cache cannot detect a change in an included file."""
    included.add(file)
    lines = [f'#line 1 "{file}"']
    for number, line in enumerate((FOLDER / file).read_text().splitlines(), start=1):
        if include := re.fullmatch(r'#include "(\w+\.cuh)"', line):
            if include[1] not in included:
                lines.append(_with_includes(include[1], included))
            lines.append(f'#line {number + 1} "{file}"')
        else:
            lines.append("" if line == "#pragma once" else line)
    return "\n".join(lines)
