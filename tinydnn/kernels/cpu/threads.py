"""Threads over the pictures of a batch.

NumPy lets go of the interpreter lock in matrix products and in large element-wise loops, so Python threads run
side by side. Each must then use one BLAS thread: BLAS threads inside Python threads fight over the cores.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, lru_cache
from itertools import pairwise
from typing import TypeVar

from threadpoolctl import ThreadpoolController

from tinydnn.errors import InputError

T = TypeVar("T")

_worker = threading.local()  # in a thread of the pool it has `busy`


_chosen: int | None = None  # by set_thread_count


def thread_count() -> int:
    """How many threads work on a batch: what was set, else `TINYDNN_THREADS`, else the cores this process may use."""
    return _default() if _chosen is None else _chosen


def set_thread_count(count: int | None) -> None:
    """Let so many threads work on a batch from now on; None: back to `TINYDNN_THREADS` as it is now, or the cores.

    What is being worked on goes on with the threads it began with. Raises `InputError` for less than one.
    """
    global _chosen
    if count is not None and count < 1:
        raise InputError(f"threads: expected at least 1, found {count}")
    _default.cache_clear()
    _chosen = count


@cache
def _default() -> int:
    asked = os.environ.get("TINYDNN_THREADS")
    if asked is None:
        return available_cores()
    if not asked.isdecimal() or int(asked) < 1:
        raise InputError(f"TINYDNN_THREADS: expected a whole number of at least 1, found {asked!r}")
    return int(asked)


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def over_batch(count: int, work: Callable[[slice], T]) -> list[T]:
    """Cut a batch of `count` pictures into a part for each thread; the results of work(part), in order.

    The parts depend on count and number of threads alone. So do the bits of a sum that is taken over the
    results in their order. Called by a thread that works on a part already, it does the parts one after the other:
    if all threads waited for each other, none would work.
    """
    workers = thread_count()
    threads = min(workers, count)
    edges = [count * k // threads for k in range(threads + 1)]
    parts = [slice(start, stop) for start, stop in pairwise(edges)]
    with _blas().limit(limits=1, user_api="blas"):
        if threads == 1 or hasattr(_worker, "busy"):
            return [work(part) for part in parts]
        # Each thread in a copy of the caller's context, so that the caller's np.errstate holds there too.
        contexts = [copy_context() for _ in parts]
        return list(_pool(workers).map(lambda context, part: context.run(work, part), contexts, parts))


@lru_cache(maxsize=1)  # of a pool that is not in use any more, the threads end
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, "tinydnn", initializer=setattr, initargs=(_worker, "busy", True))


if hasattr(os, "register_at_fork"):  # no thread lives on in a forked process, so it begins a pool of its own
    os.register_at_fork(after_in_child=_pool.cache_clear)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()
