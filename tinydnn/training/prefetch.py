"""Making the next batch while the present one is worked on."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def prefetch(make: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """`make` of each item, in order; the next one is made in a thread beside the caller's own work.

    The thread works in the caller's context: what `ops.use` and its like say here holds there. What `make` raises, it
    raises here in its turn.
    """
    with ThreadPoolExecutor(1, "tinydnn-ahead") as thread:
        coming: Future[B] | None = None
        for item in items:
            made, coming = coming, thread.submit(copy_context().run, make, item)
            if made is not None:
                yield made.result()
        if coming is not None:
            yield coming.result()
