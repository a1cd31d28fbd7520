"""Argument checks that operations share. Each error names the argument, what was expected and what was found."""

from typing import Any

import numpy as np

from tinydnn.backend import device_of

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def floats(op: str, **arrays: Any) -> None:
    """Require float32 or float64 arrays, all of the dtype of the first one and on its device.

    The weights come first, so that an input of another dtype than a model's is the one that is named.
    """
    first_name, first = next(iter(arrays.items()))
    for name, array in arrays.items():
        if not hasattr(array, "dtype") or not hasattr(array, "shape"):
            raise TypeError(f"{op}: {name}: expected an array, found {type(array).__name__}")
        if array.dtype not in FLOATS:
            raise TypeError(f"{op}: {name}: expected dtype float32 or float64, found {array.dtype}")
        if array.dtype != first.dtype:
            raise TypeError(f"{op}: {name}: expected {first.dtype}, the dtype of {first_name}, found {array.dtype}")
        if type(array) is not type(first) and device_of(array) != device_of(first):
            raise TypeError(
                f"{op}: {name}: expected an array on {device_of(first)}, the device of {first_name}, "
                f"found one on {device_of(array)}"
            )


def layout(op: str, name: str, array: Any, axes: str) -> None:
    """Require the named axes, none of them empty: `layout("relu", "x", x, "N C H W")`."""
    names = axes.split()
    if array.ndim != len(names) or 0 in array.shape:
        raise ValueError(f"{op}: {name}: expected a shape ({', '.join(names)}) without zeros, found {array.shape}")


def shape(op: str, name: str, array: Any, expected: tuple[int, ...], reason: str) -> None:
    """Require a shape; `reason` ends the expectation, such as "like x"."""
    if array.shape != expected:
        raise ValueError(f"{op}: {name}: expected shape {expected} {reason}, found {array.shape}")


def integer(op: str, name: str, value: Any, *, least: int) -> None:
    """Require an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{op}: {name}: expected an integer, found {type(value).__name__}")
    if value < least:
        raise ValueError(f"{op}: {name}: expected at least {least}, found {value}")


def pooling(op: str, window: Any, stride: Any, size: tuple[int, ...]) -> None:
    """Require a pooling window and a stride (None: the window) that fit an image of `size` (H, W)."""
    integer(op, "window", window, least=1)
    if stride is not None:
        integer(op, "stride", stride, least=1)
    window_fits(op, (window, window), size)


def window_fits(op: str, window: tuple[int, ...], size: tuple[int, ...]) -> None:
    """Require a window (kh, kw) no larger than the padded image (H, W)."""
    if window[0] > size[0] or window[1] > size[1]:
        raise ValueError(f"{op}: expected a window no larger than the padded image {size}, found {window}")
