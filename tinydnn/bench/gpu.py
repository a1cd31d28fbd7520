"""The bench on a GPU: its properties, its peaks, and the times of kernels.

Times are measured between two events on the GPU. Before each, the L2 cache is filled with other data, which also gives
Python time to launch kernels before the GPU can start them. If that is too short, the CPU time exceeds the GPU time.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from tinydnn.backend import Array
from tinydnn.bench.machine import installed
from tinydnn.bench.peaks import Peaks
from tinydnn.bench.timing import SECONDS, Pass, Sample, Timing, turns
from tinydnn.gradcheck.passes import as_tuple

SIDE = 8192  # of the square matrices whose product is timed
COPIED = 1 << 30  # bytes
BLOCK = 1 << 20  # random numbers that are drawn
TRIES = 5


@dataclass(frozen=True)
class Gpu:
    """The current device. memory, l2: bytes."""

    name: str
    multiprocessors: int
    memory: int
    l2: int
    driver: str
    cuda: str
    cupy: str


def gpu() -> Gpu:
    """Read the properties of the current device from the driver."""
    import cupy

    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(cupy.cuda.Device().id)
    packages = (installed(name) for name in ("cupy-cuda13x", "cupy-cuda12x", "cupy"))
    return Gpu(
        name=properties["name"].decode(),
        multiprocessors=int(properties["multiProcessorCount"]),
        memory=int(properties["totalGlobalMem"]),
        l2=int(properties["l2CacheSize"]),
        driver=_version(runtime.driverGetVersion()),
        cuda=_version(runtime.runtimeGetVersion()),
        cupy=next((version for version in packages if version), "unknown"),
    )


def gpu_peaks(dtype: str = "float32", *, precision: str = "fp32", side: int = SIDE, copied: int = COPIED) -> Peaks:
    """Measure the peaks: a large matrix product, and a large copy (bytes read plus bytes written), best of `TRIES`.

    For "fp32" the peak is the rate of float32 products or a third of the TF32 rate, whichever is larger, because three
    TF32 products are as exact as one in float32.
    """
    import cupy

    a, b = (_random(side * side, dtype, seed).reshape(side, side) for seed in (0, 1))
    z, source = cupy.empty_like(a), _random(copied // 4, "float32", 2)
    target = cupy.empty_like(source)
    flops = 2 * side**3 / 1e9
    rates = {"fp32": flops / _best(lambda: cupy.matmul(a, b, out=z))}
    if dtype == "float32":
        with _tf32_products():
            rates["tf32"] = flops / _best(lambda: cupy.matmul(a, b, out=z))
        rates["fp32"] = max(rates["fp32"], rates["tf32"] / 3)
    return Peaks(rates[precision], 2 * copied / 1e9 / _best(lambda: cupy.copyto(target, source)))


def _random(size: int, dtype: str, seed: int) -> Array:
    """Random numbers, a block of them repeated; products of ones or zeros are faster, because fewer bits change."""
    import cupy

    block = np.random.default_rng(seed).standard_normal(min(size, BLOCK)).astype(dtype)
    numbers = cupy.empty(size, dtype)
    numbers.reshape(-1, len(block))[...] = cupy.asarray(block)
    return numbers


@contextmanager
def _tf32_products() -> Iterator[None]:
    """Let cuBLAS use TF32 for CuPy's float32 matrix products within the block."""
    from cupy._core import _routines_linalg as products

    before = products.get_compute_type(np.float32)
    products.set_compute_type(np.float32, products.COMPUTE_TYPE_TF32)
    try:
        yield
    finally:
        products.set_compute_type(np.float32, before)


def seconds_of(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """The seconds between two events around the work, the seconds that Python took to launch it, and its result."""
    import cupy

    begin, end = cupy.cuda.Event(), cupy.cuda.Event()
    begin.record(cupy.cuda.get_current_stream())
    start = perf_counter()
    returned = work()
    cpu = perf_counter() - start
    end.record(cupy.cuda.get_current_stream())
    end.synchronize()
    return cupy.cuda.get_elapsed_time(begin, end) / 1e3, cpu, returned


def measure_on_gpu(passes: Mapping[str, Pass], *, seconds: float = SECONDS, seed: int = 0) -> dict[str, Timing]:
    """As `tinydnn.bench.timing.measure`, on the current device."""
    import cupy

    evicting = cupy.zeros(4 * gpu().l2, np.uint8)
    first, temporary, launches = {}, {}, {}
    gpu_times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in passes}
    cpu_times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in passes}
    with cupy.cuda.Stream():
        for name, run in passes.items():
            begin = perf_counter()
            run()[1]()
            cupy.cuda.get_current_stream().synchronize()
            first[name] = perf_counter() - begin
            temporary[name] = _temporary(run)
            launches[name] = _launches(run)
        for name in turns(gpu_times, seconds, seed):
            work: Callable[[], Any] = passes[name]
            for direction in (0, 1):
                evicting.fill(1)
                elapsed, cpu, returned = seconds_of(work)
                gpu_times[name][direction].append(elapsed)
                cpu_times[name][direction].append(cpu)
                if direction == 0:
                    value, work = returned
            del value, work, returned
    return {
        name: Timing(
            first[name],
            Sample(tuple(forward)),
            Sample(tuple(backward)),
            temporary[name],
            (float(np.median(cpu_times[name][0])), float(np.median(cpu_times[name][1]))),
            launches[name],
        )
        for name, (forward, backward) in gpu_times.items()
    }


def _best(work: Callable[[], Any]) -> float:
    work()
    return min(seconds_of(work)[0] for _ in range(TRIES))


def _temporary(run: Pass) -> int:
    """The bytes that both passes allocate from a fresh memory pool beyond their results."""
    import cupy

    pool = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc):
        value, back = run()
        returned = back()
        cupy.cuda.get_current_stream().synchronize()
        results = value.nbytes + sum(getattr(array, "nbytes", 0) for array in as_tuple(returned))
        return max(0, int(pool.total_bytes()) - results)


def _launches(run: Pass) -> tuple[int | None, int | None]:
    """The kernels, copies and fills that each pass launches: the nodes of its CUDA graph. None if capture fails."""
    try:
        forward, (_, back) = _nodes(run)
        return forward, _nodes(back)[0]
    except Exception:  # a pass that reads values back, or multiplies with cuBLAS, cannot be captured
        return None, None


def _nodes(work: Callable[[], Any]) -> tuple[int | None, Any]:
    import cupy

    stream = cupy.cuda.get_current_stream()
    with cupy.cuda.using_allocator(cupy.cuda.MemoryPool().malloc):
        stream.begin_capture()
        try:
            returned = work()
        finally:
            graph = stream.end_capture()
    nodes = re.findall(r'^\s*"?graph_\d+_node_\d+"?\s*\[', graph.debug_dot_str(), re.MULTILINE)
    return len(nodes) or None, returned


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
