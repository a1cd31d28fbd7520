"""Memory layout of images for the CUDA kernels: channels-last, contiguous (N, H, W, C)."""

from typing import Any

from tinydnn.backend import Array, array_module


def channels_last(x: Array) -> Array:
    """Images (N, C, H, W) as contiguous (N, H, W, C). Copies only if needed."""
    return contiguous(x.transpose(0, 2, 3, 1))


def channels_first(x: Array) -> Array:
    """A view of images (N, H, W, C) as (N, C, H, W)."""
    return x.transpose(0, 3, 1, 2)


def empty_like(x: Array, shape: tuple[int, ...], dtype: Any = None) -> Array:
    """An uninitialised array on the device of x, of its dtype unless another is given."""
    return array_module(x).empty(shape, x.dtype if dtype is None else dtype)


def contiguous(x: Array) -> Array:
    """The array in C order. Copies only if needed."""
    return array_module(x).ascontiguousarray(x)
