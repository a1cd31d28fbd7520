"""Memory layouts that an implementation must accept: the same shape and dtype with other strides."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from tinydnn.backend import Array, array_module

Layout: TypeAlias = Callable[[Array], Array]


def contiguous(x: Array) -> Array:
    """In reading order."""
    return x


def channels_last(x: Array) -> Array:
    """With the second axis innermost in memory."""
    xp = array_module(x)
    return xp.moveaxis(xp.ascontiguousarray(xp.moveaxis(x, 1, -1)), -1, 1) if x.ndim > 1 else x


def reversed_axes(x: Array) -> Array:
    """Stored from the last element to the first: all strides are negative."""
    xp = array_module(x)
    return xp.flip(xp.flip(x).copy()) if x.ndim else x


def with_gaps(x: Array) -> Array:
    """Every other element along each axis of a larger array; NaN in between."""
    wide = array_module(x).full(tuple(2 * size for size in x.shape), np.nan, x.dtype)
    every_other = (slice(None, None, 2),) * x.ndim
    wide[every_other] = x
    return wide[every_other] if x.ndim else wide


def broadcast(x: Array) -> Array:
    """The first item of the first axis, repeated with a stride of zero. This changes the values."""
    return array_module(x).broadcast_to(x[:1], x.shape) if x.ndim else x


LAYOUTS: tuple[Layout, ...] = (contiguous, channels_last, reversed_axes, with_gaps, broadcast)
