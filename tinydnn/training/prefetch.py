"""Prefetching: the next batch is loaded while the current one is used."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def prefetch(load: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """Yield `load(item)` in order; a thread loads the next one while the caller works.

    The thread runs in a copy of the caller's context, so `ops.use` and the like apply. An error in `load` is raised
    when its turn comes.
    """
    with ThreadPoolExecutor(1, "tinydnn-prefetch") as thread:
        pending: Future[B] | None = None
        for item in items:
            ready, pending = pending, thread.submit(copy_context().run, load, item)
            if ready is not None:
                yield ready.result()
        if pending is not None:
            yield pending.result()
