"""What `tinydnn bench` prints, draws and writes of a comparison."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinydnn.cli.display import say
from tinydnn.cli.start import blas_note

if TYPE_CHECKING:
    from tinydnn.bench.comparison import Comparison
    from tinydnn.bench.gpu import Gpu
    from tinydnn.bench.machine import Machine
    from tinydnn.bench.peaks import Peaks
    from tinydnn.gradcheck.cases import Case


def print_machine(found: "Machine", peaks: "Peaks") -> None:
    """What computes, how fast it can be, and whether it is busy."""
    say(f"{found.cpu}, {found.threads} threads on {found.cores} cores; {found.blas} {found.core_type}".rstrip())
    say(f"peaks, measured: {peaks.gflops:.0f} GFLOP/s, {peaks.gbytes:.0f} GB/s; load {found.load:.0%}")
    if note := blas_note():
        say(note)
    if found.busy:
        say("Other programs are running: times are doubtful, ratios less so.")


def print_gpu(found: "Gpu", peaks: "Peaks", tf32: "Peaks | None") -> None:
    """Which GPU computes, and how fast it can be."""
    size = f"{found.memory / 1e9:.0f} GB, L2 {found.l2 / 1e6:.0f} MB"
    say(f"{found.name}, {found.multiprocessors} multiprocessors, {size}")
    say(f"driver {found.driver}, CUDA {found.cuda}, CuPy {found.cupy}")
    inexact = f", {tf32.gflops:.0f} in TF32" if tf32 else ""
    say(f"peaks, measured: {peaks.gflops:.0f} GFLOP/s in products{inexact}; {peaks.gbytes:.0f} GB/s copied")


def print_case(case: "Case", dtype: str, peaks: "Peaks") -> None:
    """What is computed, what it costs at least, and what bounds it."""
    from tinydnn.bench.costs import costs

    shapes = ", ".join("x".join(map(str, shape)) for shape in case.shapes if shape)
    options = "".join(f", {name}={value}" for name, value in case.options.items())
    say(f"{case.operation} of {shapes}{options} in {dtype}")
    for direction, cost in zip(("forward", "backward"), costs(case, dtype), strict=True):
        what, seconds = cost.bound(peaks)
        say(
            f"  {direction:8}  {cost.flops / 1e9:.3f} GFLOP, {cost.bytes / 1e6:.1f} MB, {cost.intensity:.1f} FLOP/byte"
            f"; {what} bounds it, at least {seconds * 1e3:.3f} ms"
        )


def print_table(comparison: "Comparison") -> None:
    """A line for each kernel, forward and backward, fastest first; then what else is known of each."""
    width, beside = max(len(line.label) for line in comparison.lines), comparison.baseline
    for direction in ("forward", "backward"):
        say("")
        say(f"{direction:{width}}  median ms      p20      p80  noise  GFLOP/s   GB/s  of bound  x {beside}")
        chosen = [line for line in comparison.lines if line.direction == direction]
        for line in sorted(chosen, key=lambda line: line.sample.median):
            ms = [1e3 * one for one in (line.sample.median, line.sample.p20, line.sample.p80)]
            say(
                f"{line.label:{width}}  {ms[0]:9.3f} {ms[1]:8.3f} {ms[2]:8.3f}  {line.sample.noise:5.0%}  "
                f"{line.gflops:7.1f}  {line.gbytes:5.1f}  {line.share:8.0%}  {line.ratio:5.2f}  {line.verdict}"
            )
            if line.cpu is not None:
                launches = "launches not counted" if line.launches is None else f"{line.launches} launches"
                say(f"{'':{width}}  {1e3 * line.cpu:9.3f} ms of Python and launching, {launches}")
            if line.suspicion:
                say(f"{'':{width}}  {line.suspicion}")
    say("")
    for name, timing in comparison.timings.items():
        runs = len(timing.forward.seconds)
        say(
            f"{name}: {runs} runs; first call {timing.first_call * 1e3:.1f} ms; temporary memory "
            f"{timing.temporary / 1e6:.1f} MB"
        )


def as_dict(comparison: "Comparison") -> dict[str, Any]:
    """All of it for JSON."""
    return {
        "shapes": comparison.case.shapes,
        "options": dict(comparison.case.options),
        "baseline": comparison.baseline,
        "costs": [asdict(cost) for cost in comparison.costs],
        "lines": [line.as_dict() for line in comparison.lines],
        "first_call_s": {name: timing.first_call for name, timing in comparison.timings.items()},
        "temporary_bytes": {name: timing.temporary for name, timing in comparison.timings.items()},
    }


def draw_roofline(path: Path, comparison: "Comparison", peaks: "Peaks", where: str) -> None:
    """Draw every kernel under the roof of the measured peaks."""
    from tinydnn.plots import Point, roofline

    intensity = dict(zip(("forward", "backward"), (cost.intensity for cost in comparison.costs), strict=True))
    points = [Point(one.name, one.direction, intensity[one.direction], one.gflops) for one in comparison.lines]
    case = comparison.case
    title = f"{case.operation} of {', '.join('x'.join(map(str, shape)) for shape in case.shapes if shape)}"
    note = f"{comparison.dtype}; {where}; peaks as measured"
    roofline(path, points, gflops=peaks.gflops, gbytes=peaks.gbytes, title=title, note=note)
    say(f"Roofline: {path}")
