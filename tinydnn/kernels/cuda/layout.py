"""How pictures lie in memory for the kernels here: channels-last, (N, H, W, C) in one piece."""

from typing import Any

from tinydnn.backend import Array, array_module


def channels_last(x: Array) -> Array:
    """Pictures (N, C, H, W) as (N, H, W, C) in one piece; a copy only where it does not lie so already."""
    return array_module(x).ascontiguousarray(x.transpose(0, 2, 3, 1))


def channels_first(x: Array) -> Array:
    """Pictures (N, H, W, C) as (N, C, H, W), in the same memory."""
    return x.transpose(0, 3, 1, 2)


def empty_like(x: Array, shape: tuple[int, ...], dtype: Any = None) -> Array:
    """Room for numbers where x lies, of its dtype unless another is named."""
    return array_module(x).empty(shape, x.dtype if dtype is None else dtype)


def in_one_piece(x: Array) -> Array:
    """The array with its numbers one after the other; a copy only where they do not lie so."""
    return array_module(x).ascontiguousarray(x)
