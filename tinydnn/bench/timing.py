"""How long kernels take: in turns, in shuffled order, each with cold caches, and with the spread that was seen.

Whatever disturbs one kernel then disturbs the others as often. What is compiled or loaded at the first call is done
before.
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
from tinydnn.gradcheck.contract import as_tuple
from tinydnn.kernels.cpu import memory

ROUNDS = 30
SECONDS = 4.0  # for each kernel; a slow one gets fewer rounds
LEAST_ROUNDS = 3

Pass: TypeAlias = Callable[[], tuple[Array, Callable[[], Any]]]
"""A forward pass, which returns the value and the backward pass."""


@dataclass(frozen=True)
class Sample:
    """Seconds of single runs."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of the runs were faster."""
        return float(np.median(self.seconds))

    @property
    def p20(self) -> float:
        """A fifth of the runs were faster."""
        return float(np.percentile(self.seconds, 20))

    @property
    def p80(self) -> float:
        """A fifth of the runs were slower."""
        return float(np.percentile(self.seconds, 80))

    @property
    def noise(self) -> float:
        """The middle three fifths of the runs differ by this share of the median."""
        return (self.p80 - self.p20) / self.median


@dataclass(frozen=True)
class Timing:
    """Of one kernel: first call with all that it had to compile or load, both passes, and bytes of temporary memory."""

    first_call: float
    forward: Sample
    backward: Sample
    temporary: int
    cpu: tuple[float, float] | None = None  # on a GPU: seconds of Python and launches, forward and backward
    launches: tuple[int | None, int | None] = (None, None)  # on a GPU, where they can be counted


def race(
    passes: Mapping[str, Pass], *, seconds: float = SECONDS, clock: Callable[[], float] = perf_counter, seed: int = 0
) -> dict[str, Timing]:
    """Time the kernels against each other: at most `ROUNDS` rounds, and about `seconds` for each."""
    order, cold = random.Random(seed), _Eviction()
    first: dict[str, float] = {}
    forward: dict[str, list[float]] = {name: [] for name in passes}
    backward: dict[str, list[float]] = {name: [] for name in passes}
    for name, run in passes.items():
        begin = clock()
        run()[1]()
        first[name] = clock() - begin
    temporary = {name: _temporary(run) for name, run in passes.items()}
    for done in range(ROUNDS):
        for name in order.sample(list(passes), len(passes)):
            if done >= LEAST_ROUNDS and sum(forward[name]) + sum(backward[name]) > seconds:
                continue
            cold.evict()
            begin = clock()
            value, back = passes[name]()
            forward[name].append(clock() - begin)
            cold.evict()
            begin = clock()
            back()
            backward[name].append(clock() - begin)
            del value
    return {
        name: Timing(first[name], Sample(tuple(forward[name])), Sample(tuple(backward[name])), temporary[name])
        for name in passes
    }


def _temporary(run: Pass) -> int:
    """The most memory during both passes beyond what they return, as Python's allocators see it.

    Memory that stays from call to call counts as if it were new.
    """
    memory.forget()
    tracemalloc.start()
    try:
        value, back = run()
        _, forward_peak = tracemalloc.get_traced_memory()
        gradients = [one for one in as_tuple(back()) if isinstance(one, np.ndarray)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return max(0, max(forward_peak - value.nbytes, peak - value.nbytes - sum(one.nbytes for one in gradients)))


class _Eviction:
    """Fills the caches with other numbers."""

    def __init__(self) -> None:
        self._numbers = np.zeros(2 * last_cache_bytes(), np.uint8)

    def evict(self) -> None:
        self._numbers += 1


def last_cache_bytes() -> int:
    """The size of the largest cache, as Linux tells it; 32 MiB where it does not."""
    sizes = [path.read_text().strip() for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    units = {"K": 1 << 10, "M": 1 << 20}
    known = [int(size[:-1]) * units[size[-1]] for size in sizes if size[-1] in units]
    return min(max(known, default=32 << 20), 256 << 20)
