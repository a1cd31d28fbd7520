"""Print, plot and export the results of `tinydnn bench`."""

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


def print_machine(machine: "Machine", peaks: "Peaks") -> None:
    """Print the CPU, its peaks, and a note if the machine is busy."""
    cores = f"{machine.threads} threads on {machine.cores} cores"
    say(f"{machine.cpu}, {cores}; {machine.blas} {machine.core_type}".rstrip())
    say(f"peaks, measured: {peaks.gflops:.0f} GFLOP/s, {peaks.gbytes:.0f} GB/s; load {machine.load:.0%}")
    if note := blas_note():
        say(note)
    if machine.busy:
        say("Other programs are running: times are unreliable; ratios are less affected.")


def print_gpu(gpu: "Gpu", peaks: "Peaks", tf32: "Peaks | None") -> None:
    """Print the GPU and its peaks."""
    size = f"{gpu.memory / 1e9:.0f} GB, L2 {gpu.l2 / 1e6:.0f} MB"
    say(f"{gpu.name}, {gpu.multiprocessors} multiprocessors, {size}")
    say(f"driver {gpu.driver}, CUDA {gpu.cuda}, CuPy {gpu.cupy}")
    tf32_peak = f", {tf32.gflops:.0f} in TF32" if tf32 else ""
    say(f"peaks, measured: {peaks.gflops:.0f} GFLOP/s in products{tf32_peak}; {peaks.gbytes:.0f} GB/s copied")


def print_case(case: "Case", dtype: str, peaks: "Peaks") -> None:
    """Print the case, its least cost, and the resource that limits it."""
    from tinydnn.bench.costs import costs

    shapes = ", ".join("x".join(map(str, shape)) for shape in case.shapes if shape)
    options = "".join(f", {name}={value}" for name, value in case.options.items())
    say(f"{case.operation} of {shapes}{options} in {dtype}")
    for direction, cost in zip(("forward", "backward"), costs(case, dtype), strict=True):
        resource, seconds = cost.bound(peaks)
        say(
            f"  {direction:8}  {cost.flops / 1e9:.3f} GFLOP, {cost.bytes / 1e6:.1f} MB, {cost.intensity:.1f} FLOP/byte"
            f"; {resource} bounds it, at least {seconds * 1e3:.3f} ms"
        )


def print_table(comparison: "Comparison") -> None:
    """Print a line for each kernel, forward and backward, fastest first; then first call and memory of each."""
    width, baseline = max(len(line.label) for line in comparison.lines), comparison.baseline
    for direction in ("forward", "backward"):
        say("")
        say(f"{direction:{width}}  median ms      p20      p80  noise  GFLOP/s   GB/s  of bound  x {baseline}")
        chosen = [line for line in comparison.lines if line.direction == direction]
        for line in sorted(chosen, key=lambda line: line.sample.median):
            ms = [1e3 * seconds for seconds in (line.sample.median, line.sample.p20, line.sample.p80)]
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
    """The comparison for JSON."""
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
    """Plot every kernel under the roofline of the measured peaks."""
    from tinydnn.plots import Point, roofline, save

    intensity = dict(zip(("forward", "backward"), (cost.intensity for cost in comparison.costs), strict=True))
    points = [Point(line.name, line.direction, intensity[line.direction], line.gflops) for line in comparison.lines]
    case = comparison.case
    title = f"{case.operation} of {', '.join('x'.join(map(str, shape)) for shape in case.shapes if shape)}"
    note = f"{comparison.dtype}; {where}; peaks as measured"
    save(roofline(points, gflops=peaks.gflops, gbytes=peaks.gbytes, title=title, note=note), path)
    say(f"Roofline: {path}")
