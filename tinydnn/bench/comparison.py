"""Kernels of one operation at one size: checked, then timed, then placed beside a baseline and the machine's peaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module, to_device
from tinydnn.bench.costs import Cost, bench_case, costs
from tinydnn.bench.gpu import race_on_gpu
from tinydnn.bench.peaks import Peaks
from tinydnn.bench.timing import SECONDS, Pass, Sample, Timing, race
from tinydnn.bench.verdict import Verdict, suspicion, verdict
from tinydnn.gradcheck.cases import Case, Shape

DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True)
class Line:
    """One direction of one kernel. `share`: of the peak that bounds it. `label`: what really ran."""

    name: str
    label: str
    direction: str
    sample: Sample
    gflops: float
    gbytes: float
    share: float
    ratio: float
    verdict: Verdict
    suspicion: str
    cpu: float | None = None
    launches: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: times in seconds."""
        times = {name: getattr(self.sample, name) for name in ("median", "p20", "p80", "noise")}
        rest = {name: value for name, value in vars(self).items() if name != "sample"}
        return {**rest, "verdict": str(self.verdict), "runs": len(self.sample.seconds), **times}


@dataclass(frozen=True)
class Comparison:
    """What was measured of an operation at a size."""

    case: Case
    dtype: str
    baseline: str
    costs: tuple[Cost, Cost]
    timings: dict[str, Timing]
    lines: tuple[Line, ...]


def able(
    operation: str, names: Sequence[str], shapes: tuple[Shape, ...], device: str = "cpu", dtype: str = "float64"
) -> tuple[list[str], list[str]]:
    """Those that cover the case, and those that do not."""
    covering = bench_case(operation, shapes).implementations("cpu" if device == "cpu" else "cuda", dtype)
    return [name for name in names if name in covering], [name for name in names if name not in covering]


def default_baseline(operation: str, names: Sequence[str]) -> str:
    """The plain way to be fast in NumPy, where there is one: what a kernel of one's own has to beat."""
    preferred = ("im2col", "im2col cublas", "fused", "pairs", "threads", "reference")
    return next((name for name in preferred if name in names), names[0])


def compare(
    operation: str,
    names: Sequence[str],
    baseline: str,
    peaks: Peaks,
    *,
    shapes: tuple[Shape, ...] = (),
    dtype: str = "float32",
    seconds: float = SECONDS,
    device: str = "cpu",
    tf32: Peaks | None = None,
) -> Comparison:
    """Time the named implementations, which all cover the case; the baseline is one of them.

    `tf32`: the peaks of those whose products are TF32's.
    """
    case = bench_case(operation, shapes)
    arrays = [x if x is None else to_device(np.ascontiguousarray(x, dtype), device) for x in case.arrays()]
    labels = {name: _label(case, name, arrays) for name in names}
    passes = {name: a_pass(case, name, arrays) for name in names}
    timings = race(passes, seconds=seconds) if device == "cpu" else race_on_gpu(passes, seconds=seconds)
    both = costs(case, dtype)
    lines = []
    for which, (cost, direction) in enumerate(zip(both, DIRECTIONS, strict=True)):
        samples: dict[str, Sample] = {name: getattr(timing, direction) for name, timing in timings.items()}
        for name, sample in samples.items():
            inexact = ops.operations()[operation].implementations[name].precision == "tf32"
            _, bound = cost.bound(tf32 if inexact and tf32 is not None else peaks)
            others = [one.median for other, one in samples.items() if other != name]
            lines.append(
                Line(
                    name,
                    labels[name],
                    direction,
                    sample,
                    cost.flops / sample.median / 1e9,
                    cost.bytes / sample.median / 1e9,
                    bound / sample.median,
                    samples[baseline].median / sample.median,
                    Verdict.BASELINE if name == baseline else verdict(sample, samples[baseline]),
                    suspicion(sample.median, bound, others),
                    None if (cpu := timings[name].cpu) is None else cpu[which],
                    timings[name].launches[which],
                )
            )
    return Comparison(case, dtype, baseline, both, timings, tuple(lines))


def a_pass(case: Case, name: str, arrays: list[Array | None]) -> Pass:
    """As a layer calls it; parts of a fused operation's reference run as they would by themselves.

    What else the operation is given is there beforehand, and the upstream gradient after the first run.
    """
    extras = case.extras(*arrays)
    upstream: list[Array] = []

    def run() -> tuple[Array, Any]:
        with ops.use(**{case.operation: name}):
            value, backward = ops.operations()[case.operation](*arrays, *extras, **case.options)
        if not upstream:
            upstream.append(array_module(value).ones_like(value))
        return value, partial(backward, *upstream) if value.shape else backward

    return run


def _label(case: Case, name: str, arrays: list[Array | None]) -> str:
    run = a_pass(case, name, arrays)
    with ops.trace() as calls:
        run()
    return calls[0].implementation
