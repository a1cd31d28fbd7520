"""Measure how long kernels take, with the spread of the times.

The kernels run in turns, in shuffled order and with cold caches, so a disturbance hits all of them equally often. The
first call, which compiles and loads, is timed separately.
"""

import random
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
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

    cpu, launches: for the forward and the backward pass, None on a CPU. cpu: seconds that Python took to launch the
    work. launches: None if they cannot be counted, too.
    """

    first_call: float
    forward: Sample
    backward: Sample
    temporary: int
    cpu: tuple[float | None, float | None] = (None, None)
    launches: tuple[int | None, int | None] = (None, None)


def measure(
    passes: Mapping[str, Pass], *, seconds: float = SECONDS, clock: Callable[[], float] = perf_counter, seed: int = 0
) -> dict[str, Timing]:
    """Time the kernels in turns: at most `ROUNDS` rounds, and about `seconds` for each kernel."""
    evicting = np.zeros(2 * last_cache_bytes(), np.uint8)
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in passes}
    first: dict[str, float] = {}
    for name, run in passes.items():
        begin = clock()
        run()[1]()
        first[name] = clock() - begin
    temporary = {name: _temporary(run) for name, run in passes.items()}
    for name in turns(times, seconds, seed):
        forward, backward = times[name]
        evicting += 1
        begin = clock()
        value, back = passes[name]()
        forward.append(clock() - begin)
        evicting += 1
        begin = clock()
        back()
        backward.append(clock() - begin)
        del value
    return {
        name: Timing(first[name], Sample(tuple(forward)), Sample(tuple(backward)), temporary[name])
        for name, (forward, backward) in times.items()
    }


def turns(times: Mapping[str, tuple[list[float], list[float]]], seconds: float, seed: int) -> Iterator[str]:
    """The kernels' names in shuffled rounds. One that has taken more than `seconds` gets `MIN_ROUNDS` only.

    times: the seconds of each forward and backward pass so far, which the caller extends.
    """
    order = random.Random(seed)
    for rounds in range(ROUNDS):
        for name in order.sample(list(times), len(times)):
            if rounds < MIN_ROUNDS or sum(map(sum, times[name])) <= seconds:
                yield name


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


def last_cache_bytes() -> int:
    """The size of the largest cache that Linux reports, at most 256 MiB; 32 MiB if it reports none."""
    sizes = [path.read_text().strip() for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    units = {"K": 1 << 10, "M": 1 << 20}
    known = [int(size[:-1]) * units[size[-1]] for size in sizes if size[-1] in units]
    return min(max(known, default=32 << 20), 256 << 20)
