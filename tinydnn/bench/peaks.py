"""What the machine can do at best: the two rates that every kernel is measured by."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from tinydnn.kernels.cpu.threads import over_batch, thread_count

# (m, n, k, whether the second matrix is transposed): none of them is the best on every machine.
_PRODUCTS = (
    (1024, 1024, 1024, False),
    (1024, 1024, 1024, True),
    (1280, 1280, 640, False),
    (512, 2048, 512, False),
    (512, 2048, 512, True),
)
_SECONDS = 0.12  # for each product, and for the copies
_COPIED = 256 << 20  # bytes: several times the last cache of all but the largest servers


@dataclass(frozen=True)
class Peaks:
    """Measured peaks: the best of several tries, because whatever disturbs a try makes it slower.

    gflops: GFLOP/s of matrix products, one for each thread, each with one BLAS thread. gbytes: GB/s of a copy, what
    is read and what is written together, with all threads, between arrays far larger than the caches.
    """

    gflops: float
    gbytes: float


def peaks(dtype: str = "float32") -> Peaks:
    """Measure the peaks with the threads that work on a batch; it takes about a second. Nothing is remembered."""
    if dtype not in ("float32", "float64"):
        raise ValueError(f"peaks: dtype: expected float32 or float64, found {dtype}")
    return Peaks(max(_product_rate(*product, np.dtype(dtype)) for product in _PRODUCTS), _copy_rate())


def _product_rate(m: int, n: int, k: int, transposed: bool, dtype: np.dtype) -> float:
    """GFLOP/s of z = a @ b, (m, k) @ (k, n), once in every thread."""
    a = np.ones((m, k), dtype)
    b = np.ones((n, k), dtype).T if transposed else np.ones((k, n), dtype)
    z = np.empty((thread_count(), m, n), dtype)

    def multiply(part: slice) -> None:
        np.matmul(a, b, out=z[part.start])

    return len(z) * 2 * m * n * k / _shortest(multiply) / 1e9


def _copy_rate() -> float:
    """GB/s of a copy that the threads share."""
    source = np.ones((thread_count(), _COPIED // thread_count()), np.uint8)
    copied = np.empty_like(source)

    def copy(part: slice) -> None:
        copied[part] = source[part]

    return 2 * source.nbytes / _shortest(copy) / 1e9


def _shortest(work: Callable[[slice], None]) -> float:
    """Seconds of the fastest call, where each thread does its part of the work at the same time."""
    threads = thread_count()
    over_batch(threads, work)  # fetches pages and wakes threads
    seconds: list[float] = []
    while len(seconds) < 3 or sum(seconds) < _SECONDS:
        start = perf_counter()
        over_batch(threads, work)
        seconds.append(perf_counter() - start)
    return min(seconds)
