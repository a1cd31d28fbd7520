"""Threads over the images of a batch.

NumPy releases the interpreter lock in matrix products and in large element-wise loops, so Python threads run in
parallel. Each must then use one BLAS thread: BLAS threads inside Python threads compete for the cores.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import cache, lru_cache
from itertools import repeat
from typing import TypeVar

from threadpoolctl import ThreadpoolController

from tinydnn.errors import InputError

T = TypeVar("T")

_worker = threading.local()  # has `busy` in the threads of the pool
_count: int | None = None  # set by set_thread_count


def thread_count() -> int:
    """The number of threads for a batch: the one set, else `TINYDNN_THREADS`, else the cores this process may use."""
    return _default() if _count is None else _count


def set_thread_count(count: int | None) -> None:
    """Set the number of threads for a batch; None restores the default, reading `TINYDNN_THREADS` again.

    A batch in progress keeps its threads. Raises `InputError` for a count below one.
    """
    global _count
    if count is not None and count < 1:
        raise InputError(f"threads: expected at least 1, found {count}")
    _default.cache_clear()
    _count = count


@cache
def _default() -> int:
    text = os.environ.get("TINYDNN_THREADS")
    if text is None:
        return available_cores()
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"TINYDNN_THREADS: expected a whole number of at least 1, found {text!r}")
    return int(text)


def available_cores() -> int:
    """The number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def over_batch(count: int, work: Callable[[slice], T]) -> list[T]:
    """Divide a batch of `count` images into one part per thread; return the results of work(part) in order.

    The parts, and so the bits of a sum over the results in order, depend on the count and the number of threads only.
    Within a part, a nested call runs its parts in sequence: if all threads waited for the pool, none would work.
    """
    workers = thread_count()
    threads = min(workers, count)
    parts = [slice(count * k // threads, count * (k + 1) // threads) for k in range(threads)]
    with _blas().limit(limits=1):
        if threads == 1 or hasattr(_worker, "busy"):
            return [work(part) for part in parts]
        # Each thread runs in a copy of the caller's context, so that the caller's np.errstate applies there too.
        contexts = [copy_context() for _ in parts]
        return list(_pool(workers).map(Context.run, contexts, repeat(work), parts))


@lru_cache(maxsize=1)  # the threads of a pool end when another replaces it
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, "tinydnn", initializer=setattr, initargs=(_worker, "busy", True))


if hasattr(os, "register_at_fork"):  # threads do not survive a fork, so the child process starts a pool of its own
    os.register_at_fork(after_in_child=_pool.cache_clear)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
