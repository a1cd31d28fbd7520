"""A person's own file of kernels."""

import importlib.util
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from tinydnn import ops
from tinydnn.errors import InputError


@dataclass(frozen=True)
class Loaded:
    """Which implementations of the operation a file has registered, and how long it took to run it."""

    path: Path
    names: tuple[str, ...]
    seconds: float


def load(path: Path, operation: str) -> Loaded:
    """Run the Python file, which registers implementations of `operation`.

    Raises `InputError`, in one line with the file's line, where it cannot be read, raises, or registers none.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: expected a Python file with a kernel, found {'a folder' if path.is_dir() else 'nothing there'}"
        )
    known = dict(ops.operations()[operation].implementations)
    name = f"tinydnn_kernels_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: expected a Python file, with a name that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that dataclasses and Numba find it
    start = perf_counter()
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(f"{where(error, path)}: {describe(error)}") from error
    seconds = perf_counter() - start
    now = ops.operations()[operation].implementations
    names = tuple(one for one, implementation in now.items() if known.get(one) is not implementation)
    if not names:
        how = f'@ops.{operation}.implementation("mine")'
        raise InputError(f"{path}: expected an implementation of {operation}, as in {how}, found none")
    return Loaded(path, names, seconds)


def describe(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {error}".rstrip(": ")


def where(error: BaseException, path: Path) -> str:
    """The file, with the line of it in which the exception arose where there is one."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"{path}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return f"{path}, line {lines[-1]}" if lines else str(path)
