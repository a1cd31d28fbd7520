"""`tinydnn train` and `tinydnn finetune`: train a network on brain-tumour slices, and show its results."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from tinydnn.backend import check_device
from tinydnn.cli import choices
from tinydnn.cli.app import app
from tinydnn.cli.display import describe, print_metrics, progress_bar, say, say_skipped
from tinydnn.cli.running import exit_interrupted, explicit_options, open_dataset, output_folder, train_run
from tinydnn.cli.start import blas_note
from tinydnn.errors import InputError
from tinydnn.runs import FinetuneOptions, FinetuneRun, Options, Run
from tinydnn.runs.config import read_config
from tinydnn.runs.declarations import declarations
from tinydnn.runs.evaluation import MASK_NOTE
from tinydnn.runs.files import CONFIG, contains_run, lock_folder

FEW_ITERATIONS = 100  # the paper takes 190


def training_command(kind: type[Options], run_type: type[Run], help_text: str) -> None:
    """Add a command that trains with options of a kind, from the beginning or from the checkpoint in --out."""

    @app.command(kind.command, help=help_text)
    @choices.options_of(kind)
    def command(
        context: typer.Context,
        threads: choices.Threads = None,
        out: choices.Out = None,
        resume: choices.Resume = False,
        **_: Any,
    ) -> None:
        explicit = explicit_options(context, kind)
        options = kind(**explicit)
        if resume:
            options = _resumed_options(options, out, explicit)
        folder = output_folder(out, options.model)
        if contains_run(folder) and not resume:
            raise InputError(f"--out: {folder} holds a run already; choose another folder, or --resume it")
        check_device(options.device)
        try:
            run = run_type(folder, options, open_dataset(options))
            with lock_folder(folder):
                run.start()
                if run.complete:
                    say(f"The run in {folder} is complete already.")
                    return
                with progress_bar("Computing features") as progress:
                    run.prepare(progress)
                _print_overview(run)
                train_run(run, _resume_command(folder, options))
                print_metrics(run.finish())
        except KeyboardInterrupt:
            exit_interrupted("Stopped.", _resume_command(folder, options))
        say(f"Model, plots and metrics are in {folder}")


training_command(
    Options, Run, "Train a network on brain-tumour slices (without DATA: on synthetic phantoms) and show its results."
)
training_command(
    FinetuneOptions,
    FinetuneRun,
    "Train a new head on a network pretrained on ImageNet, then its last layers too.\n\n"
    "Features of the frozen layers are computed once; with augmentation, in every iteration.",
)


def _resume_command(folder: Path, options: Options) -> str:
    started = (folder / CONFIG).exists()
    return f"tinydnn {options.command} --out {shlex.quote(str(folder))} --resume" if started else "the same command"


def _resumed_options(options: Options, out: Path | None, explicit: dict[str, Any]) -> Options:
    """The options that the run in `out` began with. Raises `InputError` where an explicit option differs."""
    if out is None:
        raise InputError("--resume: expected the run's folder as --out, found none")
    if not contains_run(out):
        say(f"{out} holds no run yet: starting from the beginning.")
        return options
    saved = type(options)(**read_config(out, type(options))["options"])
    if "data" in explicit:  # it may have moved; its contents are compared
        saved = replace(saved, data=options.data)
    for name in explicit:
        before, now = saved.effective(name), options.effective(name)
        if before != now:
            flag = declarations(type(options))[name].flag_of(name)
            raise InputError(f"--{flag}: expected {before!r}, with which the run in {out} began, found {now!r}")
    return saved


def _print_overview(run: Run) -> None:
    options, dataset, split, trainer = run.options, run.dataset, run.split, run.trainer
    say_skipped(dataset)
    say(f"{describe(dataset)}: {', '.join(dataset.class_names)}")
    selecting = f", {len(split.validation)} to select the best epoch" if len(split.validation) else ""
    say(f"{len(split.train)} to train{selecting}, {len(split.test)} held out, split by {options.split}")
    if run.shared:
        say(f"{run.shared_note()} Slices of a patient are alike,")
        say("so the accuracy does not apply to new patients; use --split patient to estimate theirs.")
    say(f"{options.epochs} epochs of {trainer.iterations_per_epoch} iterations of {options.batch_size} slices")
    if trainer.iterations < FEW_ITERATIONS:
        say("These are few iterations; a smaller --batch-size gives more of them.")
    if dataset.crop.uses_mask:
        say(MASK_NOTE)
    for line in run.notes():
        say(line)
    if trainer.gpu_step is not None:
        say(f"On {options.device}, products in {options.precision}; the slices {trainer.gpu_step.feed.where}")
    say(f"Implementations: {', '.join(run.implementations())}")
    if note := blas_note():
        say(note)
    say(f"Run folder: {run.folder}")
    if trainer.iteration:
        say(f"Resuming after iteration {trainer.iteration} of {trainer.iterations}")
