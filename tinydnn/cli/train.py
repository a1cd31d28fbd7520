"""`tinydnn train`: train a network on brain-tumour slices, and show what it learned."""

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from tinydnn.backend import check_device
from tinydnn.cli.app import INTERRUPTED, app
from tinydnn.cli.display import TrainingDisplay, describe, print_metrics, progress_bar, say, say_skipped
from tinydnn.cli.start import blas_note
from tinydnn.cli.threads import Threads
from tinydnn.errors import InputError

if TYPE_CHECKING:
    from tinydnn.data.dataset import Dataset
    from tinydnn.runs import Options, Run

PHANTOMS = 600
FEW_ITERATIONS = 100  # the paper takes 190


@app.command()
def train(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Argument(help="Folder of .mat files, zips, image folder or prepared file; phantoms where not given."),
    ] = None,
    model: Annotated[str, typer.Option(help="baseline (the paper's) or batchnorm.")] = "baseline",
    epochs: Annotated[int, typer.Option(help="How often every training slice is shown.")] = 10,
    batch_size: Annotated[int, typer.Option(help="Slices in an iteration.")] = 128,
    optimizer: Annotated[str, typer.Option(help="sgd or adam.")] = "sgd",
    lr: Annotated[float | None, typer.Option(help="Learning rate; 0.02 for sgd, 0.001 for adam.")] = None,
    momentum: Annotated[float, typer.Option(help="Momentum of sgd.")] = 0.9,
    weight_decay: Annotated[float, typer.Option(help="L2 penalty on the weights.")] = 0.0,
    schedule: Annotated[str, typer.Option(help="constant, step, cosine or one-cycle.")] = "one-cycle",
    size: Annotated[int, typer.Option(help="Pixels along each side that slices are brought to.")] = 256,
    split: Annotated[str, typer.Option(help="slice (the paper's) or patient (none on both sides).")] = "slice",
    test_fraction: Annotated[float, typer.Option(help="Share of the slices that is held out.")] = 0.2,
    normalise: Annotated[str, typer.Option(help="standard: (x - mean) / std; minmax: to [0, 1].")] = "standard",
    seed: Annotated[int, typer.Option(help="Decides split, weights, shuffling and dropout.")] = 0,
    skip_broken: Annotated[bool, typer.Option(help="Leave out files that cannot be read, and list them.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    precision: Annotated[str, typer.Option(help="fp32, or tf32: faster on a GPU, products to 3 digits.")] = "fp32",
    threads: Threads = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the run; runs/MODEL-N where not given.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the run in --out.")] = False,
) -> None:
    """Train a network on brain-tumour slices (without DATA: on synthetic phantoms) and show what it learned."""
    from tinydnn.runs import Options, Run
    from tinydnn.runs.files import alone_in

    given = {name: value for name, value in context.params.items() if name not in ("out", "resume", "threads")}
    if data is not None:
        given["data"] = str(Path(data).absolute())  # so that the run can be resumed from another folder
    options = Options(**given)
    if resume:
        options = _resumed(options, out, explicit={name for name in given if _is_explicit(context, name)})
    folder = _folder(out, options, resume)
    check_device(options.device)
    try:
        run = Run(folder, options, _open(options))
        with alone_in(folder):
            run.start()
            _introduce(run)
            if run.complete:
                say(f"The run in {folder} is complete already.")
                return
            _train(run)
            print_metrics(run.finish())
    except KeyboardInterrupt:
        _stopped("Stopped.", folder)
    say(f"Model, pictures and figures are in {folder}")


def _train(run: "Run") -> None:
    trainer = run.trainer
    with _interruptible() as interrupted, TrainingDisplay(trainer) as display:
        for record in run.records():
            display.show(record)
            if interrupted:
                run.save()
                break
    if interrupted:
        _stopped(f"Stopped after iteration {trainer.iteration} of {trainer.iterations}.", run.folder)


def _stopped(what: str, folder: Path) -> NoReturn:
    """Say how to go on, and end the program."""
    from tinydnn.runs.files import CONFIG

    begun = (folder / CONFIG).exists()
    command = f"tinydnn train --out {shlex.quote(str(folder))} --resume" if begun else "the same command"
    say(f"{what} Go on with: {command}")
    sys.exit(INTERRUPTED)


def _resumed(options: "Options", out: Path | None, explicit: set[str]) -> "Options":
    """The options that the run began with; those given anew must be the same."""
    from tinydnn.runs import Options
    from tinydnn.runs.files import holds_a_run, read_config

    if out is None:
        raise InputError("--resume: expected the run's folder as --out, found none")
    if not holds_a_run(out):
        say(f"Nothing to go on with is in {out} yet: starting from the beginning.")
        return options
    before = Options(**read_config(out)["options"])
    for name in explicit - {"data"}:  # the data may have moved; its contents are compared
        then, now = (one.learning_rate if name == "lr" else getattr(one, name) for one in (before, options))
        if then != now:
            raise InputError(
                f"--{name.replace('_', '-')}: expected {then!r}, with which the run in {out} began, found {now!r}"
            )
    return replace(before, data=options.data) if "data" in explicit else before


def _is_explicit(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _folder(out: Path | None, options: "Options", resume: bool) -> Path:
    from tinydnn.runs.files import holds_a_run

    if out is None:
        number = 1
        while (new := Path("runs") / f"{options.model}-{number}").exists():
            number += 1
        return new
    if out.exists() and not out.is_dir():
        raise InputError(f"--out: expected a folder, found a file at {out}")
    if holds_a_run(out) and not resume:
        raise InputError(f"--out: {out} holds a run already; choose another folder, or --resume to go on with it")
    return out


def _open(options: "Options") -> "Dataset":
    """The dataset of the run, prepared in the user's cache folder where it is not yet."""
    from tinydnn.data import cache
    from tinydnn.data.dataset import Dataset

    source = options.data
    if source is None:
        say("No DATA was given: this run uses synthetic phantoms, which are drawn, not measured on anybody.")
        with progress_bar("Drawing phantoms") as progress:
            source = str(cache.phantoms(PHANTOMS, size=options.size, progress=progress))
    with progress_bar("Preparing slices") as progress:
        path = cache.prepared(source, size=options.size, skip_broken=options.skip_broken, progress=progress)
    return Dataset.open(path)


def _introduce(run: "Run") -> None:
    dataset, split, trainer = run.dataset, run.split, run.trainer
    say_skipped(dataset)
    say(f"{describe(dataset)}: {', '.join(dataset.class_names)}")
    say(f"{len(split.train)} to train, {len(split.test)} held out, split by {run.options.split}")
    if run.shared:
        say(f"{run.shared_note()} Slices of a patient are alike,")
        say("so the accuracy says little about new patients: for that, use --split patient.")
    say(f"{trainer.epochs} epochs of {trainer.iterations_per_epoch} iterations of {trainer.batch_size} slices")
    if trainer.iterations < FEW_ITERATIONS:
        say("That is few steps to learn in; a smaller --batch-size gives more of them.")
    if trainer.gpu_step is not None:
        say(f"On {run.options.device}, products in {run.options.precision}; the slices {trainer.gpu_step.feed.where}")
    say(f"What runs: {', '.join(run.implementations())}")
    if note := blas_note():
        say(note)
    say(f"Run folder: {run.folder}")
    if trainer.iteration:
        say(f"Going on after iteration {trainer.iteration} of {trainer.iterations}")


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Let Ctrl-C finish the iteration: it is noted in the list; a second one interrupts at once."""
    noted: list[int] = []

    def note(number: int, frame: Any) -> None:
        noted.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
