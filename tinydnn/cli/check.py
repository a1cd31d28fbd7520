"""`tinydnn check`: check kernels against the contract of their operation."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinydnn.backend import emulated, use_device
from tinydnn.cli.app import app
from tinydnn.cli.display import say
from tinydnn.cli.threads import Threads
from tinydnn.errors import InputError
from tinydnn.ops import operations

if TYPE_CHECKING:
    from tinydnn.bench.checking import Outcome
    from tinydnn.bench.loading import Loaded

Op = Annotated[str, typer.Argument(help="An operation, such as conv2d.", autocompletion=lambda: sorted(operations()))]
Load = Annotated[Path | None, typer.Option(help="A Python file that registers kernels of your own.")]
Only = Annotated[str | None, typer.Option(help="Names of implementations, separated by commas.")]

EMULATED = "emulated"


@app.command(examples=("tinydnn check relu --load mine.py", "tinydnn check conv2d --device emulated"))
def check(
    op: Op,
    load: Load = None,
    only: Only = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N, or emulated: CUDA kernels on the CPU.")] = "cpu",
    threads: Threads = None,
) -> None:
    """Check kernels against the reference; the exit status is 1 if any fails."""
    outcomes = check_all(op, load, only, device)
    if not all(outcome.passed for outcome in outcomes):
        raise typer.Exit(1)


def check_all(op: str, load: Path | None, only: str | None, device: str) -> "list[Outcome]":
    """Check each kernel on a device or an emulated GPU, and show the outcomes."""
    from tinydnn.bench.checking import check as check_kernel

    with emulated() if device == EMULATED else nullcontext():
        device = "cuda" if device == EMULATED else device
        use_device(device)
        names, _ = selected(op, load, only, device=device)
        outcomes = []
        for name in names:
            outcomes.append(check_kernel(op, name, device))
            show(outcomes[-1])
    return outcomes


def selected(
    op: str, load: Path | None, only: str | None, *, others: bool = False, device: str = "cpu"
) -> tuple[list[str], "Loaded | None"]:
    """The names of the selected implementations, and the loaded file.

    The selection is --only, else the kernels of the file (followed by all others if `others`), else all for the device.
    Raises `InputError` for an unknown operation or implementation, and for a file without a kernel for the device.
    """
    import tinydnn.kernels  # noqa: F401 - registers the implementations
    from tinydnn import ops
    from tinydnn.bench.loading import load as load_file

    known = ops.operations()
    if op not in known:
        raise InputError(f"OP: expected an operation ({', '.join(sorted(known))}), found {op}")
    loaded = load_file(load, op) if load is not None else None
    kind = "cpu" if device == "cpu" else "cuda"
    available = known[op].names(kind)
    if loaded and not set(loaded.names) & set(available):
        raise InputError(f'{load}: expected a kernel for {kind}, as in implementation(…, device="{kind}"), found none')
    if only is None:
        own = [name for name in loaded.names if name in available] if loaded else []
        return own + [name for name in available if (others or not own) and name not in own], loaded
    selection = [name.strip() for name in only.split(",")]
    for name in selection:
        if name not in available:
            raise InputError(f"--only: expected implementations of {op} ({', '.join(available)}), found {name!r}")
    return selection, loaded


def show(outcome: "Outcome") -> None:
    """Print one line for a kernel that passed, else one line for each finding."""
    title = f"{outcome.operation}: {outcome.implementation}"
    if outcome.passed:
        gradients = "value; gradients are the reference's" if outcome.forward_only else "value and gradients"
        say(f"{title}: passed {outcome.cases} cases ({gradients}; first call {outcome.first_call:.2f} s)")
        if outcome.unproven:
            say(f"{title}: the time was up before numeric derivatives proved the gradients of {outcome.unproven} cases")
    for finding in outcome.findings:
        say(f"{title}: WRONG: {finding}")
