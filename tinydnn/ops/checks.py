"""Checks of arguments that operations share: each names argument, expected and found."""

from typing import Any

import numpy as np

from tinydnn.backend import device_of

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def floats(op: str, **arrays: Any) -> None:
    """Every array is float32 or float64, and all are of one dtype on one device."""
    first_name, first = next(iter(arrays.items()))
    for name, array in arrays.items():
        if not hasattr(array, "dtype") or not hasattr(array, "shape"):
            raise TypeError(f"{op}: {name}: expected an array, found {type(array).__name__}")
        if array.dtype not in FLOATS:
            raise TypeError(f"{op}: {name}: expected dtype float32 or float64, found {array.dtype}")
        if array.dtype != first.dtype:
            raise TypeError(f"{op}: {name}: expected {first.dtype}, the dtype of {first_name}, found {array.dtype}")
        if device_of(array) != device_of(first):
            raise TypeError(
                f"{op}: {name}: expected an array on {device_of(first)}, where {first_name} is, "
                f"found one on {device_of(array)}"
            )


def layout(op: str, name: str, array: Any, axes: str) -> None:
    """`array` has as many axes as `axes` names, and none of them is empty: `layout("relu", "x", x, "N C H W")`."""
    names = axes.split()
    if array.ndim != len(names) or 0 in array.shape:
        raise ValueError(f"{op}: {name}: expected a shape ({', '.join(names)}) without zeros, found {array.shape}")


def shape(op: str, name: str, array: Any, expected: tuple[int, ...], why: str) -> None:
    """`array.shape` is `expected`; `why` says what asks for it."""
    if array.shape != expected:
        raise ValueError(f"{op}: {name}: expected shape {expected} {why}, found {array.shape}")


def integer(op: str, name: str, value: Any, *, least: int) -> None:
    """`value` is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{op}: {name}: expected an integer, found {type(value).__name__}")
    if value < least:
        raise ValueError(f"{op}: {name}: expected at least {least}, found {value}")


def pooling(op: str, window: Any, stride: Any, size: tuple[int, ...]) -> None:
    """A pooling window and stride (None: like the window) are usable on a picture of `size` (H, W)."""
    integer(op, "window", window, least=1)
    if stride is not None:
        integer(op, "stride", stride, least=1)
    window_fits(op, (window, window), size)


def window_fits(op: str, window: tuple[int, ...], size: tuple[int, ...]) -> None:
    """A window (kh, kw) is no larger than the picture (H, W), padding included, that it slides over."""
    if window[0] > size[0] or window[1] > size[1]:
        raise ValueError(f"{op}: expected a window no larger than the padded picture {size}, found {window}")
