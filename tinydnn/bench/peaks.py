"""The machine's peaks: the rates of matrix products and of copies, with which every kernel is compared."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from tinydnn.kernels.cpu.threads import over_batch, thread_count

# (m, n, k, whether b is transposed). Which of them is fastest depends on the machine.
_PRODUCTS = (
    (1024, 1024, 1024, False),
    (1024, 1024, 1024, True),
    (1280, 1280, 640, False),
    (512, 2048, 512, False),
    (512, 2048, 512, True),
)
_SECONDS = 0.12  # for each product, and for the copies
_COPIED = 256 << 20  # bytes: several times the last-level cache of most machines


@dataclass(frozen=True)
class Peaks:
    """Measured peaks, each the best of several tries, because a disturbance only ever makes a try slower.

    gflops: GFLOP/s of matrix products, one per thread, each with one BLAS thread. gbytes: GB/s of a copy by all
    threads, bytes read plus bytes written, between arrays far larger than the caches.
    """

    gflops: float
    gbytes: float


def peaks(dtype: str = "float32") -> Peaks:
    """Measure the peaks with the threads that work on a batch. This takes about a second; nothing is cached."""
    if dtype not in ("float32", "float64"):
        raise ValueError(f"peaks: dtype: expected float32 or float64, found {dtype}")
    return Peaks(max(_product_rate(*product, np.dtype(dtype)) for product in _PRODUCTS), _copy_rate())


def _product_rate(m: int, n: int, k: int, transposed: bool, dtype: np.dtype) -> float:
    """GFLOP/s of z = a @ b, (m, k) @ (k, n), computed once in every thread."""
    rng = np.random.default_rng(0)
    a = rng.random((m, k), dtype)
    b = rng.random((n, k), dtype).T if transposed else rng.random((k, n), dtype)
    z = np.empty((thread_count(), m, n), dtype)

    def multiply(items: slice) -> None:
        np.matmul(a, b, out=z[items.start])

    return len(z) * 2 * m * n * k / _shortest(multiply) / 1e9


def _copy_rate() -> float:
    """GB/s of a copy that the threads share."""
    source = np.ones((thread_count(), _COPIED // thread_count()), np.uint8)
    copied = np.empty_like(source)

    def copy(items: slice) -> None:
        copied[items] = source[items]

    return 2 * source.nbytes / _shortest(copy) / 1e9


def _shortest(work: Callable[[slice], None]) -> float:
    """The seconds of the fastest call of `work` in all threads at once, one item each."""
    threads = thread_count()
    over_batch(threads, work)  # warm-up: maps pages and starts threads
    seconds: list[float] = []
    while len(seconds) < 3 or sum(seconds) < _SECONDS:
        start = perf_counter()
        over_batch(threads, work)
        seconds.append(perf_counter() - start)
    return min(seconds)
