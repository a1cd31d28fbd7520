"""Load a user's file of kernels."""

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
    """The implementations of the operation that a file registered, and the seconds that loading it took."""

    path: Path
    names: tuple[str, ...]
    seconds: float


def load(path: Path, operation: str) -> Loaded:
    """Run the Python file, which registers implementations of `operation`.

    Raises `InputError`, one line that names the line of the file, if it cannot be read, raises, or registers none.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing there"
        raise InputError(f"{path}: expected a Python file with a kernel, found {found}")
    known = dict(ops.operations()[operation].implementations)
    name = f"tinydnn_kernels_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: expected a Python file, with a name that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and Numba look it up
    start = perf_counter()
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(f"{where(error, path)}: {describe(error)}") from error
    seconds = perf_counter() - start
    now = ops.operations()[operation].implementations
    names = tuple(key for key, implementation in now.items() if known.get(key) is not implementation)
    if not names:
        example = f'@ops.{operation}.implementation("mine")'
        raise InputError(f"{path}: expected an implementation of {operation}, as in {example}, found none")
    return Loaded(path, names, seconds)


def describe(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {error}".rstrip(": ")


def where(error: BaseException, path: Path) -> str:
    """The path, with the line of the file that raised the exception if there is one."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"{path}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return f"{path}, line {lines[-1]}" if lines else str(path)
