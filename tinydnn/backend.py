"""Array modules and devices: NumPy on the CPU, CuPy on a GPU.

Code that begins with `xp = array_module(x)` and calls `xp.…` runs on both. CuPy is imported only when a CUDA device is
requested.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tinydnn.errors import InputError

# A NumPy array, or a CuPy array on a GPU.
Array: TypeAlias = npt.NDArray[Any]

OLDEST = 80  # compute capability, times ten: the first with cp.async and TF32 on tensor cores

# The orders in which the threads of an emulated GPU run; None if no GPU is emulated.
_emulation: ContextVar[tuple[str, ...] | None] = ContextVar("emulation", default=None)


@contextmanager
def emulated(*orders: str) -> Iterator[None]:
    """Emulate a GPU within the block: "cuda" exists, NumPy arrays are on it, and its kernels run on the CPU.

    orders: in which the threads of a block run, of "forward", "reverse" and "random" (default: all three). Every kernel
    runs once in each.
    """
    token = _emulation.set(orders or ("forward", "reverse", "random"))
    try:
        yield
    finally:
        _emulation.reset(token)


def emulation() -> tuple[str, ...] | None:
    """The thread orders of the emulated GPU; None if no GPU is emulated."""
    return _emulation.get()


def array_module(x: Any) -> ModuleType:
    """The module of an array: `cupy` for CuPy arrays, else `numpy`."""
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(x, cupy.ndarray):
        return cupy
    return np


def device_of(x: Any) -> str:
    """The kind of device that `x` is on: "cpu" or "cuda"."""
    return "cpu" if array_module(x) is np and _emulation.get() is None else "cuda"


def to_device(x: Any, device: str) -> Array:
    """`x` on `device` ("cpu", "cuda" or "cuda:N"), not copied if it is there already.

    Raises `InputError` that names what is missing if the device does not exist.
    """
    module, index = _open(device)
    if module is np:
        return np.asarray(x) if array_module(x) is np else x.get()
    with module.cuda.Device(index):
        return module.asarray(x)


def upload(values: Any, into: Array) -> None:
    """Write NumPy values into an existing array on any device."""
    xp = array_module(into)
    if xp is np:
        into[...] = values
    else:
        into.set(np.ascontiguousarray(values, into.dtype), stream=xp.cuda.get_current_stream())  # type: ignore[attr-defined]


@contextmanager
def device_errors(device: str) -> Iterator[None]:
    """Turn user-correctable GPU errors, which are out-of-memory errors, into `InputError`."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ != "OutOfMemoryError":  # CuPy's, tested by name because CuPy may not be installed
            raise
        raise InputError(
            f"device {device}: not enough memory on the GPU ({error}); a smaller --batch-size or --size needs less"
        ) from None


def use_device(device: str) -> None:
    """Make this the current CuPy device of the thread: new arrays are allocated and kernels run there."""
    module, index = _open(device)
    if module is not np:
        module.cuda.Device(index).use()


def check_device(device: str) -> None:
    """Raise `InputError` that names what is missing if the device does not exist."""
    _open(device)


def _open(device: str) -> tuple[ModuleType, int]:
    """The array module of a device name and the index of the GPU (0 for the CPU)."""
    if device == "cpu":
        return np, 0
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    if match is None:
        raise InputError(f'device: expected "cpu", "cuda" or "cuda:N", found {device!r}')
    if emulation() is not None:
        return np, 0
    try:
        import cupy
    except ImportError as error:
        raise InputError(
            f"device {device}: expected CuPy, found none; install tinydnn[cuda] (CUDA 13) or tinydnn[cuda12]"
        ) from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise InputError(
            f"device {device}: expected an NVIDIA GPU with its driver, found none ({error}); use --device cpu"
        ) from error
    index = int(match[1] or 0)
    if index >= count:
        raise InputError(f"device {device}: expected an index below {count}, the number of GPUs")
    capability = str(cupy.cuda.Device(index).compute_capability)
    if int(capability) < OLDEST:
        raise InputError(f"device {device}: expected compute capability 8.0 (Ampere) or newer, found {capability}")
    return cupy, index
