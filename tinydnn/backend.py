"""Which array module an array belongs to, and how arrays move between devices.

Code that says `xp = array_module(x)` and then `xp.…` runs on NumPy and on CuPy alike. CuPy is imported only
when somebody asks for a CUDA device.
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

# A NumPy array, or the CuPy array that stands in its place on a GPU.
Array: TypeAlias = npt.NDArray[Any]

OLDEST = 80  # compute capability, ten times: with cp.async and TF32 on tensor cores

# The orders in which the threads of an emulated GPU take turns; None where no GPU is emulated.
_emulation: ContextVar[tuple[str, ...] | None] = ContextVar("emulation", default=None)


@contextmanager
def emulated(*orders: str) -> Iterator[None]:
    """Within the block, NumPy arrays stand for arrays on a GPU: "cuda" is there, and its kernels run on the CPU.

    `orders`: those in which the threads of a block take turns, of "forward", "reverse" and "random"; every kernel runs
    once in each, all three where none is named.
    """
    token = _emulation.set(orders or ("forward", "reverse", "random"))
    try:
        yield
    finally:
        _emulation.reset(token)


def emulation() -> tuple[str, ...] | None:
    """The orders of the emulated GPU, here and now; None where there is none."""
    return _emulation.get()


def array_module(x: Any) -> ModuleType:
    """The module whose functions work on `x`: `cupy` for CuPy arrays, else `numpy`."""
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(x, cupy.ndarray):
        return cupy
    return np


def device_of(x: Any) -> str:
    """The kind of device that holds `x`: "cpu" or "cuda"."""
    cupy = sys.modules.get("cupy")
    on_gpu = cupy is not None and isinstance(x, cupy.ndarray)
    return "cuda" if on_gpu or _emulation.get() is not None else "cpu"


def to_device(x: Any, device: str) -> Array:
    """`x` on `device` ("cpu", "cuda" or "cuda:N"), as it is where it is there already.

    Raises `InputError` where the device does not exist, with what is missing.
    """
    module, number = _open(device)
    if module is np:
        return np.asarray(x) if array_module(x) is np else x.get()
    with module.cuda.Device(number):
        return module.asarray(x)


def upload(values: Any, into: Array) -> None:
    """Write NumPy numbers into an array that is there already, wherever it is."""
    xp = array_module(into)
    if xp is np:
        into[...] = values
    else:
        into.set(np.ascontiguousarray(values, into.dtype), stream=xp.cuda.get_current_stream())  # type: ignore[attr-defined]


@contextmanager
def device_errors(device: str) -> Iterator[None]:
    """Raise as `InputError` what a person can mend of a GPU's refusals: too little memory."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ != "OutOfMemoryError":  # CuPy's, which need not be imported to ask
            raise
        raise InputError(
            f"device {device}: not enough memory on the GPU ({error}); a smaller --batch-size or --size needs less"
        ) from None


def use_device(device: str) -> None:
    """Let new arrays of CuPy lie on this device from now on, and its work run there."""
    module, number = _open(device)
    if module is not np:
        module.cuda.Device(number).use()


def check_device(device: str) -> str:
    """`device`, if arrays can be put there; else `InputError` with what is missing."""
    _open(device)
    return device


def _open(device: str) -> tuple[ModuleType, int]:
    """The array module of a device name, and the number of the GPU (0 for the CPU)."""
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
    number = int(match[1] or 0)
    if number >= count:
        raise InputError(f"device {device}: expected a number below {count}, the GPUs found here")
    capability = str(cupy.cuda.Device(number).compute_capability)
    if int(capability) < OLDEST:
        raise InputError(f"device {device}: expected compute capability 8.0 (Ampere) or newer, found {capability}")
    return cupy, number
