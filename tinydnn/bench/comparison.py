"""Time kernels of one operation at one size, and compare them with a baseline and with the machine's peaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module, to_device
from tinydnn.bench.costs import Cost, bench_case, costs
from tinydnn.bench.gpu import measure_on_gpu
from tinydnn.bench.peaks import Peaks
from tinydnn.bench.timing import SECONDS, Pass, Sample, Timing, measure
from tinydnn.bench.verdict import Verdict, suspicion, verdict
from tinydnn.gradcheck.cases import Case, Shape

DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True)
class Line:
    """The result for one kernel in one direction, forward or backward.

    label: the implementation that ran. share: of the peak that bounds the kernel. ratio: speed relative to the
    baseline. cpu, launches: as in `Timing`.
    """

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
        """The fields for JSON; times in seconds."""
        times = {name: getattr(self.sample, name) for name in ("median", "p20", "p80", "noise")}
        rest = {name: value for name, value in vars(self).items() if name != "sample"}
        return {**rest, "verdict": str(self.verdict), "runs": len(self.sample.seconds), **times}


@dataclass(frozen=True)
class Comparison:
    """The measurements of one operation at one size."""

    case: Case
    dtype: str
    baseline: str
    costs: tuple[Cost, Cost]
    timings: dict[str, Timing]
    lines: tuple[Line, ...]


def split_supported(
    operation: str, names: Sequence[str], shapes: tuple[Shape, ...], device: str = "cpu", dtype: str = "float64"
) -> tuple[list[str], list[str]]:
    """The names of the implementations that support the bench case, and of those that do not."""
    supported = bench_case(operation, shapes).implementations(device, dtype)
    return [name for name in names if name in supported], [name for name in names if name not in supported]


def default_baseline(operation: str, names: Sequence[str]) -> str:
    """The implementation that a new kernel has to beat: the plain fast one in NumPy or CuPy, if there is one."""
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
    """Time the named implementations, which must all support the bench case; the baseline is one of them.

    peaks, tf32: the machine's peaks for float32 products, and for TF32 products.
    """
    case = bench_case(operation, shapes)
    arrays = [x if x is None else to_device(np.ascontiguousarray(x, dtype), device) for x in case.arrays()]
    passes = {name: make_pass(case, name, arrays) for name in names}
    labels = {name: _label(run) for name, run in passes.items()}
    timings = (measure if device == "cpu" else measure_on_gpu)(passes, seconds=seconds)
    directed_costs = costs(case, dtype)
    lines = []
    for k, (cost, direction) in enumerate(zip(directed_costs, DIRECTIONS, strict=True)):
        samples: dict[str, Sample] = {name: getattr(timing, direction) for name, timing in timings.items()}
        for name, sample in samples.items():
            precision = ops.operations()[operation].implementations[name].precision
            _, bound = cost.bound(tf32 if precision == "tf32" and tf32 is not None else peaks)
            others = [sample.median for other, sample in samples.items() if other != name]
            lines.append(
                Line(
                    name=name,
                    label=labels[name],
                    direction=direction,
                    sample=sample,
                    gflops=cost.flops / sample.median / 1e9,
                    gbytes=cost.bytes / sample.median / 1e9,
                    share=bound / sample.median,
                    ratio=samples[baseline].median / sample.median,
                    verdict=Verdict.BASELINE if name == baseline else verdict(sample, samples[baseline]),
                    suspicion=suspicion(sample.median, bound, others),
                    cpu=timings[name].cpu[k],
                    launches=timings[name].launches[k],
                )
            )
    return Comparison(case, dtype, baseline, directed_costs, timings, tuple(lines))


def make_pass(case: Case, name: str, arrays: list[Array | None]) -> Pass:
    """A pass as a layer runs it; within a fused operation's reference, the default implementations run.

    The other arguments are made beforehand, and the upstream gradient in the first run.
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


def _label(run: Pass) -> str:
    with ops.trace() as calls:
        run()
    return calls[0].implementation
