"""A GPU under the bench: what it is, how fast it can be, and how long kernels take on it.

Times are those between two events on the GPU. Before each, its second-level cache is filled with other numbers, which
also gives Python the time to be ahead of the GPU with its launches; where it is not, the time beside it says so.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from tinydnn.bench.machine import installed
from tinydnn.bench.peaks import Peaks
from tinydnn.bench.timing import LEAST_ROUNDS, ROUNDS, SECONDS, Pass, Sample, Timing

SIDE = 8192  # of the matrices whose product gives the peak
COPIED = 1 << 30  # bytes
TRIES = 5


@dataclass(frozen=True)
class Gpu:
    """The present device. memory and l2 in bytes."""

    name: str
    multiprocessors: int
    memory: int
    l2: int
    driver: str
    cuda: str
    cupy: str


def gpu() -> Gpu:
    """Read what the driver tells of the present device."""
    import cupy

    runtime = cupy.cuda.runtime
    told = runtime.getDeviceProperties(cupy.cuda.Device().id)
    packages = (installed(name) for name in ("cupy-cuda13x", "cupy-cuda12x", "cupy"))
    return Gpu(
        name=told["name"].decode(),
        multiprocessors=int(told["multiProcessorCount"]),
        memory=int(told["totalGlobalMem"]),
        l2=int(told["l2CacheSize"]),
        driver=_version(runtime.driverGetVersion()),
        cuda=_version(runtime.runtimeGetVersion()),
        cupy=next((found for found in packages if found), "unknown"),
    )


def gpu_peaks(dtype: str = "float32", *, precision: str = "fp32", side: int = SIDE, copied: int = COPIED) -> Peaks:
    """The rate of a large matrix product and of a large copy (bytes read and written), the best of some tries.

    For "fp32" the product is that of the ordinary cores, or a third of TF32's where that is more: three TF32 products
    are as good as one of float32.
    """
    import cupy

    a, b = (cupy.ones((side, side), dtype) for _ in range(2))
    z, source, into = cupy.empty_like(a), cupy.ones(copied, np.uint8), cupy.empty(copied, np.uint8)
    flops = 2 * side**3 / 1e9
    rates = {"fp32": flops / _best(lambda: cupy.matmul(a, b, out=z))}
    if dtype == "float32":
        from tinydnn.kernels.cuda.linear import tf32_products

        with tf32_products(a):
            rates["tf32"] = flops / _best(lambda: cupy.matmul(a, b, out=z))
        rates["fp32"] = max(rates["fp32"], rates["tf32"] / 3)
    return Peaks(rates[precision], 2 * copied / 1e9 / _best(lambda: cupy.copyto(into, source)))


def seconds_of(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds between two events around the work, seconds that Python took to launch it, and what it returned."""
    import cupy

    begin, end = cupy.cuda.Event(), cupy.cuda.Event()
    begin.record(cupy.cuda.get_current_stream())
    start = perf_counter()
    returned = work()
    cpu = perf_counter() - start
    end.record(cupy.cuda.get_current_stream())
    end.synchronize()
    return cupy.cuda.get_elapsed_time(begin, end) / 1e3, cpu, returned


def race_on_gpu(passes: Mapping[str, Pass], *, seconds: float = SECONDS, seed: int = 0) -> dict[str, Timing]:
    """As `tinydnn.bench.timing.race`, on the present device."""
    import cupy

    order, other_numbers = random.Random(seed), cupy.zeros(4 * gpu().l2, np.uint8)
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
        for done in range(ROUNDS):
            for name in order.sample(list(passes), len(passes)):
                if done >= LEAST_ROUNDS and sum(gpu_times[name][0]) + sum(gpu_times[name][1]) > seconds:
                    continue
                work: Callable[[], Any] = passes[name]
                for direction in (0, 1):
                    other_numbers.fill(done)
                    took, cpu, returned = seconds_of(work)
                    gpu_times[name][direction].append(took)
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
    """Bytes that both passes take from a pool of their own beyond what they return."""
    import cupy

    pool = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc):
        value, back = run()
        returned = back()
        cupy.cuda.get_current_stream().synchronize()
        kept = value.nbytes + sum(getattr(one, "nbytes", 0) for one in _as_list(returned))
        return max(0, int(pool.total_bytes()) - kept)


def _launches(run: Pass) -> tuple[int | None, int | None]:
    """How many kernels, copies and fills each pass starts: the nodes of its graph. None where it cannot be captured."""
    try:
        forward, (_, back) = _nodes(run)
        return forward, _nodes(back)[0]
    except Exception:  # a pass that looks at its numbers, or needs memory anew, cannot be captured
        return None, None


def _nodes(work: Callable[[], Any]) -> tuple[int | None, Any]:
    import cupy

    stream = cupy.cuda.get_current_stream()
    stream.begin_capture()
    try:
        returned = work()
    finally:
        graph = stream.end_capture()
    nodes = re.findall(r'^\s*"?graph_\d+_node_\d+"?\s*\[', graph.debug_dot_str(), re.MULTILINE)
    return len(nodes) or None, returned


def _as_list(returned: Any) -> list[Any]:
    return list(returned) if isinstance(returned, tuple) else [returned]


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
