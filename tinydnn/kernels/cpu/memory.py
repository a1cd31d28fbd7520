"""A pool of buffers that training steps reuse.

The system supplies a large array page by page: it zeroes each page on first use, and takes it back when the array is
freed. A training step allocates arrays of the same sizes as the step before, so their buffers are reused instead.
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
SMALLEST = 1 << 16  # bytes; below it, the C library reuses memory itself
LIFETIME = 64  # allocations, one or two training steps: a buffer idle for longer is freed when a new size is needed

# The idle buffers by size, each as (allocation after which it was returned, aligned address, memory). The latest, which
# is the most likely to be in a cache, is at the right end. There is no lock: the garbage collector may return a buffer
# at any line, also in a thread that holds the lock. Appending to a deque and popping from it are thread-safe.
_idle: defaultdict[int, deque[tuple[int, int, Array]]] = defaultdict(deque)
_allocations = count(1)
_latest = 0


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """A contiguous uninitialised array, like `np.empty`, at an address that is a multiple of 64.

    As soon as neither it nor a view of it is in use, its memory returns to the pool for arrays of the same size.
    """
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    if size < SMALLEST:
        memory = np.empty(size + ALIGNMENT, np.uint8)
        return np.ndarray(shape, dtype, memory, -_address(memory) % ALIGNMENT)
    return np.asarray(_Buffer(-(-size // PAGE) * PAGE, shape, dtype))


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Like `empty`, filled with zeros."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


class _Buffer:
    """A buffer in use. The NumPy array made of it, and every view of that array, hold a reference to it."""

    def __init__(self, size: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        global _latest
        _latest = next(_allocations)
        pool = _idle[size]
        try:
            _, self.address, self.memory = pool.pop()
        except IndexError:
            release(LIFETIME)  # the sizes in use have changed
            self.memory = np.empty(size + ALIGNMENT, np.uint8)
            self.address = -(-_address(self.memory) // ALIGNMENT) * ALIGNMENT
        self.pool = pool  # only now: if the allocation fails, there is nothing to return
        self.__array_interface__: dict[str, Any] = {
            "version": 3, "shape": shape, "typestr": dtype.str, "data": (self.address, False),
        }  # fmt: skip

    def __del__(self) -> None:
        if hasattr(self, "pool"):
            self.pool.append((_latest, self.address, self.memory))


def idle_bytes() -> int:
    """The size of all idle buffers."""
    return sum(memory.nbytes for buffers in list(_idle.values()) for _, _, memory in list(buffers))


def release(age: int = 0) -> None:
    """Return to the system the buffers that have been idle for at least `age` allocations: by default, all."""
    before = _latest - age
    for buffers in list(_idle.values()):
        for _ in range(len(buffers)):
            try:
                buffer = buffers.popleft()  # the longest idle is at the left end
            except IndexError:  # another thread took the last one
                break
            if buffer[0] > before:
                buffers.appendleft(buffer)
                break


def _address(memory: Array) -> int:
    return memory.__array_interface__["data"][0]
