"""`tinydnn train`: train a network on brain-tumour slices, and show what it learned."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinydnn.backend import check_device
from tinydnn.cli import choices
from tinydnn.cli.app import app
from tinydnn.cli.display import describe, print_metrics, progress_bar, say, say_skipped
from tinydnn.cli.running import gathered, open_dataset, stopped, train_run
from tinydnn.cli.start import blas_note
from tinydnn.cli.threads import Threads
from tinydnn.errors import InputError

if TYPE_CHECKING:
    from tinydnn.runs import Options, Run

FEW_ITERATIONS = 100  # the paper takes 190


@app.command()
def train(
    context: typer.Context,
    data: choices.DataOrPhantoms = None,
    recipe: Annotated[
        str | None, typer.Option(help="paper, fast, best or a .toml file; what is given beside it goes before.")
    ] = None,
    model: Annotated[str, typer.Option(help="baseline (the paper's) or batchnorm.")] = "baseline",
    epochs: choices.Epochs = 10,
    batch_size: choices.BatchSize = 128,
    optimizer: choices.Optimizer = "sgd",
    lr: Annotated[float | None, typer.Option(help="Learning rate; 0.02 for sgd, 0.001 for adam.")] = None,
    momentum: choices.Momentum = 0.9,
    weight_decay: choices.WeightDecay = 0.0,
    schedule: Annotated[str, typer.Option(help="constant, step, cosine or one-cycle.")] = "one-cycle",
    label_smoothing: choices.LabelSmoothing = 0.0,
    balance: choices.Balance = False,
    augment: choices.Augment = "none",
    rotate: choices.Rotate = None,
    shift: choices.Shift = None,
    zoom: choices.Zoom = None,
    flip: choices.Flip = None,
    brightness: choices.Brightness = None,
    contrast: choices.Contrast = None,
    saturation: choices.Saturation = None,
    cutout: choices.Cutout = None,
    views: choices.Views = 1,
    size: choices.Size = 256,
    crop: choices.Crop = "none",
    margin: choices.Margin = 0.2,
    split: choices.Split = "slice",
    test_fraction: choices.TestFraction = 0.2,
    validation: choices.Validation = 0.0,
    normalise: Annotated[str, typer.Option(help="standard: (x - mean) / std; minmax: to [0, 1].")] = "standard",
    seed: choices.Seed = 0,
    skip_broken: choices.SkipBroken = False,
    device: choices.Device = "cpu",
    precision: choices.Precision = "fp32",
    threads: Threads = None,
    out: choices.Out = None,
    resume: choices.Resume = False,
) -> None:
    """Train a network on brain-tumour slices (without DATA: on synthetic phantoms) and show what it learned."""
    from tinydnn.runs import Options, Run

    carry_out(context, Options, Run, out, resume)


def carry_out(
    context: typer.Context, options_type: "type[Options]", run_type: "type[Run]", out: Path | None, resume: bool
) -> None:
    """Train as a command's options say, from the beginning or from where its folder stands, and show it."""
    from tinydnn.runs.files import alone_in

    given, explicit = gathered(context, options_type)
    options = options_type(**given)
    if resume:
        options = _resumed(options, out, explicit)
    folder = _folder(out, options, resume)
    check_device(options.device)
    try:
        run = run_type(folder, options, open_dataset(options))
        with alone_in(folder):
            run.start()
            if run.complete:
                say(f"The run in {folder} is complete already.")
                return
            with progress_bar("Computing features") as progress:
                run.prepare(progress)
            _introduce(run)
            train_run(run, _go_on(folder, options))
            print_metrics(run.finish())
    except KeyboardInterrupt:
        stopped("Stopped.", _go_on(folder, options))
    say(f"Model, pictures and figures are in {folder}")


def _go_on(folder: Path, options: "Options") -> str:
    from tinydnn.runs.files import CONFIG

    begun = (folder / CONFIG).exists()
    return f"tinydnn {options.command} --out {shlex.quote(str(folder))} --resume" if begun else "the same command"


def _resumed(options: "Options", out: Path | None, explicit: set[str]) -> "Options":
    """The options that the run began with; those given anew must be the same."""
    from tinydnn.runs.files import holds_a_run, read_config

    if out is None:
        raise InputError("--resume: expected the run's folder as --out, found none")
    if not holds_a_run(out):
        say(f"Nothing to go on with is in {out} yet: starting from the beginning.")
        return options
    before = type(options)(**read_config(out, type(options))["options"])
    for name in explicit - {"data"}:  # the data may have moved; its contents are compared
        then, now = before.chosen(name), options.chosen(name)
        if then != now:
            raise InputError(
                f"--{options.flag(name)}: expected {then!r}, with which the run in {out} began, found {now!r}"
            )
    return replace(before, data=options.data) if "data" in explicit else before


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


def _introduce(run: "Run") -> None:
    from tinydnn.runs.evaluation import MASK_NOTE

    dataset, split, trainer = run.dataset, run.split, run.trainer
    say_skipped(dataset)
    say(f"{describe(dataset)}: {', '.join(dataset.class_names)}")
    choosing = f", {len(split.validation)} to choose the best epoch by" if len(split.validation) else ""
    say(f"{len(split.train)} to train{choosing}, {len(split.test)} held out, split by {run.options.split}")
    if run.shared:
        say(f"{run.shared_note()} Slices of a patient are alike,")
        say("so the accuracy says little about new patients: for that, use --split patient.")
    say(f"{trainer.epochs} epochs of {trainer.iterations_per_epoch} iterations of {trainer.batch_size} slices")
    if trainer.iterations < FEW_ITERATIONS:
        say("That is few steps to learn in; a smaller --batch-size gives more of them.")
    if dataset.crop.uses_mask:
        say(MASK_NOTE)
    for line in run.notes():
        say(line)
    if trainer.gpu_step is not None:
        say(f"On {run.options.device}, products in {run.options.precision}; the slices {trainer.gpu_step.feed.where}")
    say(f"What runs: {', '.join(run.implementations())}")
    if note := blas_note():
        say(note)
    say(f"Run folder: {run.folder}")
    if trainer.iteration:
        say(f"Going on after iteration {trainer.iteration} of {trainer.iterations}")
