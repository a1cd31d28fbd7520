"""`tinydnn bench`: check kernels, time them, and compare them with each other and with the machine's peaks."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tinydnn.backend import use_device
from tinydnn.cli.app import app
from tinydnn.cli.check import EMULATED, Load, Only, Op, check_all, selected, show
from tinydnn.cli.comparison import as_dict, draw_roofline, print_case, print_gpu, print_machine, print_table
from tinydnn.cli.display import say
from tinydnn.cli.threads import Threads
from tinydnn.errors import InputError
from tinydnn.plots import check_suffix, save, times_by_size
from tinydnn.storage import atomic_write

if TYPE_CHECKING:
    from tinydnn.bench.gpu import Gpu
    from tinydnn.bench.machine import Machine
    from tinydnn.bench.peaks import Peaks
    from tinydnn.gradcheck.cases import Shape

CHECK_SECONDS = 5.0  # for each kernel; `tinydnn check` takes as long as it needs


@app.command(examples=("tinydnn bench conv2d --plot roofline.png", "tinydnn bench relu --load mine.py --train"))
def bench(
    op: Op,
    load: Load = None,
    only: Only = None,
    baseline: Annotated[str | None, typer.Option(help="The implementation to compare with.")] = None,
    shape: Annotated[str | None, typer.Option(help="Shapes of x (and w), such as 8x16x64x64,32x16x3x3.")] = None,
    dtype: Annotated[Literal["float32", "float64"], typer.Option(help="Data type of the arrays.")] = "float32",
    device: Annotated[
        str, typer.Option(help="cpu, cuda, cuda:N or emulated (checks CUDA kernels on the CPU, without timing).")
    ] = "cpu",
    threads: Threads = None,
    sweep: Annotated[bool, typer.Option("--sweep", help="Also time a range of sizes.")] = False,
    train: Annotated[bool, typer.Option("--train", help="Also train with and without each loaded kernel.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="JSON file for all results.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Picture (.png, .svg or .pdf): roofline, or times by size with --sweep.")
    ] = None,
) -> None:
    """Check kernels of an operation, then time them and compare them with each other and with the machine's peaks."""
    from tinydnn.bench.checking import check
    from tinydnn.bench.comparison import compare, default_baseline, split_supported
    from tinydnn.bench.costs import bench_case
    from tinydnn.bench.gpu import gpu, gpu_peaks
    from tinydnn.bench.machine import machine
    from tinydnn.bench.peaks import peaks as measure_peaks

    if plot is not None:
        check_suffix(plot, "--plot")
    if device == EMULATED:
        say("On an emulated GPU kernels are checked, not timed.")
        if not all(outcome.passed for outcome in check_all(op, load, only, device)):
            raise typer.Exit(1)
        return
    use_device(device)
    names, loaded = selected(op, load, only, others=True, device=device)
    own = loaded.names if loaded else ()
    shapes = _shapes(shape)
    names, unsupported = split_supported(op, names, shapes, device, dtype)
    if not names:
        raise InputError(f"{op}: expected an implementation that covers this case, found none among {unsupported}")

    hardware: Machine | Gpu
    tf32 = None
    if device == "cpu":
        hardware, peaks = machine(), measure_peaks(dtype)
        print_machine(hardware, peaks)
        where = f"{hardware.cpu}, {hardware.threads} threads"
    else:
        hardware, peaks = gpu(), gpu_peaks(dtype)
        tf32 = gpu_peaks(dtype, precision="tf32") if dtype == "float32" else None
        print_gpu(hardware, peaks, tf32)
        where = hardware.name
    say("")
    print_case(bench_case(op, shapes), dtype, peaks)
    say("")
    if loaded:
        say(f"{loaded.path} took {loaded.seconds:.2f} s to load")
    outcomes = {}
    for name in names:
        outcomes[name] = check(op, name, device, seconds=CHECK_SECONDS)
        show(outcomes[name])
    for name in unsupported:
        say(f"{op}: {name}: does not support this case")
    passing = [name for name in names if outcomes[name].passed]
    result: dict[str, Any] = {"operation": op, "dtype": dtype, "machine": asdict(hardware), "peaks": asdict(peaks)}
    result["checks"] = {name: [str(finding) for finding in outcome.findings] for name, outcome in outcomes.items()}
    if passing:
        baseline = baseline or default_baseline(op, [name for name in passing if name not in own] or passing)
        if baseline not in passing:
            raise InputError(f"--baseline: expected one of {', '.join(passing)}, found {baseline}")
        comparison = compare(op, passing, baseline, peaks, shapes=shapes, dtype=dtype, device=device, tf32=tf32)
        print_table(comparison)
        result |= as_dict(comparison)
        if sweep:
            result["sweep"] = _sweep(op, passing, baseline, peaks, dtype, plot, device)
        elif plot is not None:
            draw_roofline(plot, comparison, peaks, where)
    if train:
        for name in own:
            if name in passing:
                _train(op, name, device)
    if json_file is not None:
        with atomic_write(json_file) as path:
            path.write_text(json.dumps(result, indent=1) + "\n")
    if len(passing) < len(names):
        say(f"Not timed, because the check failed: {', '.join(name for name in names if name not in passing)}")
        raise typer.Exit(1)


def _shapes(text: str | None) -> "tuple[Shape, ...]":
    if text is None:
        return ()
    try:
        shapes = tuple(tuple(int(size) for size in shape.split("x")) for shape in text.split(","))
    except ValueError:
        shapes = ((0,),)
    if any(size < 1 for shape in shapes for size in shape):
        raise InputError(f"--shape: expected sizes such as 8x16x64x64,32x16x3x3, found {text!r}")
    return shapes


def _sweep(op: str, names: list[str], baseline: str, peaks: "Peaks", dtype: str, plot: Path | None, device: str) -> Any:
    from tinydnn.bench.sweep import sweep_sizes

    comparisons = sweep_sizes(op, names, baseline, peaks, dtype, device)
    for direction in ("forward", "backward"):
        say("")
        say(f"{direction}, median ms    " + "  ".join(f"{name:>12}" for name in names))
        for comparison in comparisons:
            by_name = {line.name: line.sample for line in comparison.lines if line.direction == direction}
            cells = (f"{by_name[name].median * 1e3:12.3f}" if name in by_name else f"{'-':>12}" for name in names)
            say(f"{comparison.case.label:20}  " + "  ".join(cells))
    if plot is not None:
        keys = [(name, direction) for name in names for direction in ("forward", "backward")]
        times = {key: [float("nan")] * len(comparisons) for key in keys}
        for k, comparison in enumerate(comparisons):
            for line in comparison.lines:
                times[line.name, line.direction][k] = 1e3 * line.sample.median
        sizes = [comparison.case.label for comparison in comparisons]
        save(times_by_size(sizes, times, title=f"{op}, {dtype}"), plot)
        say(f"Times by size: {plot}")
    return [as_dict(comparison) for comparison in comparisons]


def _train(op: str, name: str, device: str) -> None:
    from tinydnn.bench.trial import AGREEMENT, trial

    outcome = trial(op, name, device=device)
    say("")
    say(f"Training the baseline network on phantoms, from the same seed:\nstep  {name:>12}     reference")
    for step, (loss, reference) in enumerate(zip(outcome.kernel, outcome.reference, strict=True), start=1):
        say(f"{step:4}  {loss:12.6f}  {reference:12.6f}")
    if outcome.ran:
        agree = "agree" if outcome.difference <= AGREEMENT else "DO NOT AGREE"
        say(f"largest relative difference {outcome.difference:.1e}: the losses {agree}")
    else:
        say(f"{name} supports no layer of the network, so it never ran")
