"""Measure how long kernels take, with the spread of the times.

The kernels run in turns, in shuffled order and with cold caches, so a disturbance hits all of them equally often. The
first call, which compiles and loads, is timed separately.
"""

import random
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np

from tinydnn.backend import Array
from tinydnn.gradcheck.passes import as_tuple
from tinydnn.kernels.cpu import memory

ROUNDS = 30
SECONDS = 4.0  # for each kernel; a slow one gets fewer rounds
MIN_ROUNDS = 3

Pass: TypeAlias = Callable[[], tuple[Array, Callable[[], Any]]]
"""A forward pass, which returns the value and a function that runs the backward pass."""


@dataclass(frozen=True)
class Sample:
    """The seconds of each run."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of the runs took less."""
        return float(np.median(self.seconds))

    @property
    def p20(self) -> float:
        """A fifth of the runs took less."""
        return float(np.percentile(self.seconds, 20))

    @property
    def p80(self) -> float:
        """A fifth of the runs took more."""
        return float(np.percentile(self.seconds, 80))

    @property
    def noise(self) -> float:
        """The spread of the middle three fifths of the runs, relative to the median."""
        return (self.p80 - self.p20) / self.median


@dataclass(frozen=True)
class Timing:
    """The times of one kernel. first_call: seconds, with compilation. temporary: bytes of memory beyond the results.

    cpu, launches: on a GPU only, for the forward and the backward pass. cpu: seconds that Python took to launch the
    work. launches: None if they cannot be counted.
    """

    first_call: float
    forward: Sample
    backward: Sample
    temporary: int
    cpu: tuple[float, float] | None = None
    launches: tuple[int | None, int | None] = (None, None)


def measure(
    passes: Mapping[str, Pass], *, seconds: float = SECONDS, clock: Callable[[], float] = perf_counter, seed: int = 0
) -> dict[str, Timing]:
    """Time the kernels in turns: at most `ROUNDS` rounds, and about `seconds` for each kernel."""
    order, caches = random.Random(seed), _Caches()
    first: dict[str, float] = {}
    forward: dict[str, list[float]] = {name: [] for name in passes}
    backward: dict[str, list[float]] = {name: [] for name in passes}
    for name, run in passes.items():
        begin = clock()
        run()[1]()
        first[name] = clock() - begin
    temporary = {name: _temporary(run) for name, run in passes.items()}
    for rounds in range(ROUNDS):
        for name in order.sample(list(passes), len(passes)):
            if rounds >= MIN_ROUNDS and sum(forward[name]) + sum(backward[name]) > seconds:
                continue
            caches.evict()
            begin = clock()
            value, back = passes[name]()
            forward[name].append(clock() - begin)
            caches.evict()
            begin = clock()
            back()
            backward[name].append(clock() - begin)
            del value
    return {
        name: Timing(first[name], Sample(tuple(forward[name])), Sample(tuple(backward[name])), temporary[name])
        for name in passes
    }


def _temporary(run: Pass) -> int:
    """The peak memory of both passes beyond their results, as counted by Python's allocators.

    Memory that is reused from call to call counts as if it were new.
    """
    memory.release()
    tracemalloc.start()
    try:
        value, back = run()
        _, forward_peak = tracemalloc.get_traced_memory()
        gradients = [gradient for gradient in as_tuple(back()) if isinstance(gradient, np.ndarray)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    returned = sum(gradient.nbytes for gradient in gradients)
    return max(0, forward_peak - value.nbytes, peak - value.nbytes - returned)


class _Caches:
    """The CPU's caches; `evict` fills them with other data."""

    def __init__(self) -> None:
        self._data = np.zeros(2 * last_cache_bytes(), np.uint8)

    def evict(self) -> None:
        self._data += 1


def last_cache_bytes() -> int:
    """The size of the largest cache as reported by Linux, at most 256 MiB; 32 MiB if it is not reported."""
    sizes = [path.read_text().strip() for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    units = {"K": 1 << 10, "M": 1 << 20}
    known = [int(size[:-1]) * units[size[-1]] for size in sizes if size[-1] in units]
    return min(max(known, default=32 << 20), 256 << 20)
