"""The peaks have a plausible size, use the dtype, and run one BLAS thread in each of our threads."""

from importlib import import_module
from time import perf_counter

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from tinydnn.bench import peaks

module = import_module("tinydnn.bench.peaks")


def blas_threads():
    """The thread counts of NumPy's BLAS; SciPy may load another one."""
    loaded = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return [pool["num_threads"] for pool in loaded if "numpy" in pool["filepath"] or len(loaded) == 1]


@pytest.fixture(scope="module")
def measured():
    return peaks()


def test_no_ordinary_product_is_much_faster_than_the_peak(measured):
    x = np.ones((1024, 1024), np.float32)
    seconds = []
    for _ in range(5):
        start = perf_counter()
        x @ x
        seconds.append(perf_counter() - start)
    assert 2 * 1024**3 / min(seconds) / 1e9 < 1.5 * measured.gflops


def test_a_copy_counts_bytes_read_and_written(measured):
    x = np.ones(64 << 20, np.uint8)
    start = perf_counter()
    x.copy()  # maps new pages on the way, so slower than the peak
    assert 0.5 < 2 * x.nbytes / (perf_counter() - start) / 1e9 < 1.5 * measured.gbytes


def test_the_products_have_the_dtype_and_one_blas_thread_each(monkeypatch):
    calls = []

    def multiply(a, b, out):
        calls.append((a.dtype, b.dtype, out.dtype, *blas_threads()))

    monkeypatch.setattr(module, "_copy_rate", lambda: 1.0)
    monkeypatch.setattr(module, "_SECONDS", 0)
    monkeypatch.setattr(np, "matmul", multiply)
    before = blas_threads()
    peaks("float64")
    double = np.dtype(np.float64)
    assert set(calls) == {(double, double, double, *[1] * len(before))}
    assert blas_threads() == before


def test_another_dtype_is_refused():
    with pytest.raises(ValueError, match="dtype: expected float32 or float64, found int8"):
        peaks("int8")
