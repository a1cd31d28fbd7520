"""Memory that one training step leaves to the next.

The system hands out a large array as pages that are not there yet: each is filled with zeros when it is first
touched, and taken away again when the array dies. A training step asks for the same arrays as the one before, so
here the blocks are kept and lent again.
"""

from collections import defaultdict, deque
from itertools import count
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from tinydnn.backend import Array

ALIGNMENT = 64  # bytes: a cache line, and the widest vector that a CPU loads
PAGE = 4096
SMALLEST = 1 << 16  # bytes; below, the C library reuses memory by itself
LIFETIME = 64  # loans: a training step or two. A block that was idle for so long makes room for one of another size

# Free blocks by size, each with the loan after which it came back; the latest, which is the most likely to be in a
# cache, is at the right end. No lock guards them: a loan ends whenever its last array dies, and the garbage collector
# may let that happen at any line, also in a thread that would be holding the lock. Appending to and popping from a
# deque are safe between threads as they are.
_free: defaultdict[int, deque[tuple[int, Array]]] = defaultdict(deque)
_loans = count(1)
_latest = 0


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """An array of numbers like `np.empty`: contiguous, with anything in it, at an address that is a multiple of 64.

    Its memory goes to a later call that asks for as many bytes as soon as neither it nor a view of it is in use.
    """
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    if size < SMALLEST:
        block = np.empty(size + ALIGNMENT, np.uint8)
        return block[_offset(block) :][:size].view(dtype).reshape(shape)
    return np.asarray(_Loan(-(-size // PAGE) * PAGE, shape, dtype))


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Like `empty`, with zeros in it."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


class _Loan:
    """A block that is in use: NumPy makes an array of it, and whatever shares that array's memory holds the loan."""

    def __init__(self, size: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        global _latest
        _latest = next(_loans)
        try:
            _, self.block = _free[size].pop()
        except IndexError:
            _let_go(_latest - LIFETIME)  # what is asked for has changed
            self.block = np.empty(size + ALIGNMENT, np.uint8)
        self.__array_interface__: dict[str, Any] = {
            "version": 3,
            "shape": shape,
            "typestr": dtype.str,
            "data": (_address(self.block) + _offset(self.block), False),
        }
        self.home = _free[size]

    def __del__(self) -> None:
        if hasattr(self, "home"):  # else there was no memory for it
            self.home.append((_latest, self.block))


def idle_bytes() -> int:
    """How much memory is kept for arrays to come."""
    return sum(block.nbytes for blocks in list(_free.values()) for _, block in list(blocks))


def forget() -> None:
    """Give all that is idle back to the system."""
    _let_go(_latest)


def _let_go(before: int) -> None:
    """Give the blocks back to the system that have been idle since the loan `before`."""
    for blocks in list(_free.values()):
        for _ in range(len(blocks)):
            try:
                since, block = blocks.popleft()  # those that are idle for longest are at the left end
            except IndexError:  # lent in this moment
                break
            if since > before:
                blocks.appendleft((since, block))
                break


def _address(block: Array) -> int:
    return block.__array_interface__["data"][0]


def _offset(block: Array) -> int:
    return -_address(block) % ALIGNMENT
