"""`tinydnn train` and `tinydnn finetune`: train a network on brain-tumour slices, and show its results."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from tinydnn.backend import check_device
from tinydnn.cli import choices
from tinydnn.cli.app import app
from tinydnn.cli.display import describe, print_metrics, say, say_skipped
from tinydnn.cli.progress import progress_bar
from tinydnn.cli.running import (
    check_out,
    exit_interrupted,
    explicit_options,
    open_dataset,
    output_folder,
    say_few_iterations,
    train_run,
)
from tinydnn.cli.start import blas_note
from tinydnn.errors import InputError
from tinydnn.runs import FinetuneOptions, FinetuneRun, Options, Run
from tinydnn.runs.config import read_config, require_replaceable
from tinydnn.runs.declarations import declarations
from tinydnn.runs.evaluation import MASK_NOTE
from tinydnn.runs.files import contains_run, lock_folder, remove_run
from tinydnn.words import count


def training_command(kind: type[Options], run_type: type[Run], help_text: str, examples: tuple[str, ...]) -> None:
    """Add a command that trains with options of a kind, from the beginning or from the checkpoint in --out."""

    @app.command(kind.command, help=help_text, examples=examples)
    @choices.options_of(kind)
    def command(
        context: typer.Context,
        threads: choices.Threads = None,
        out: choices.Out = None,
        resume: choices.Resume = False,
        overwrite: choices.Overwrite = False,
        **_: Any,
    ) -> None:
        explicit = explicit_options(context, kind)
        options = kind(**explicit)
        if resume:
            options = _resumed_options(options, out, explicit)
        folder = output_folder(out, options.model)
        check_out(folder, options, resume=resume, overwrite=overwrite)
        if not (resume or overwrite):
            require_replaceable(folder, kind)
        check_device(options.device)
        hint = "the same command"
        try:
            run = run_type(folder, options, open_dataset(options))
            with lock_folder(folder):
                if not (resume or overwrite):
                    require_replaceable(folder, kind)  # again, now that the folder is locked
                if not resume:
                    remove_run(folder)
                hint = f"tinydnn {options.command} --out {shlex.quote(str(folder))} --resume"
                run.start()
                if run.complete:
                    say(f"The run in {folder} is complete already.")
                    return
                with progress_bar("Computing features") as progress:
                    run.prepare(progress)
                _print_overview(run)
                train_run(run, hint)
                print_metrics(run.finish())
        except KeyboardInterrupt:
            exit_interrupted("Stopped.", hint)
        say(f"Model, plots and metrics are in {folder}")


training_command(
    Options,
    Run,
    "Train a network on brain-tumour slices (without DATA: on synthetic phantoms) and show its results.",
    (
        "tinydnn train --size 128 --batch-size 16",
        "tinydnn train figshare --recipe fast --split patient --out runs/real",
        "tinydnn train --out runs/real --resume",
    ),
)
training_command(
    FinetuneOptions,
    FinetuneRun,
    "Train a new head on a network pretrained on ImageNet, then its last layers too.\n\n"
    "Features of the frozen layers are computed once; with augmentation, in every iteration.",
    (
        "tinydnn finetune figshare --from vgg16 --out runs/vgg16",
        "tinydnn finetune figshare --from vgg16 --epochs 12 --unfreeze 6:features.24",
    ),
)


def _resumed_options(options: Options, out: Path | None, explicit: dict[str, Any]) -> Options:
    """The options that the run in `out` began with. Raises `InputError` where an explicit option differs."""
    if out is None:
        raise InputError("--resume: expected the run's folder as --out, found none")
    if not contains_run(out):
        if "data" not in explicit:
            raise InputError(f"--resume: expected a run in {out}, or DATA to begin one with, found neither")
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
    say(f"{len(split.train)} to train{selecting}, {len(split.test)} to test, split by {options.split}")
    if run.shared:
        say(f"{run.shared_note()} Slices of a patient are alike,")
        say("so the accuracy does not apply to new patients; use --split patient to estimate theirs.")
    epochs, iterations = count(options.epochs, "epoch"), count(trainer.iterations_per_epoch, "iteration")
    say(f"{epochs} of {iterations} of {count(options.batch_size, 'slice')}")
    say_few_iterations(trainer.iterations, "--batch-size")
    if options.views > 1:
        say(f"The figures after each epoch are of one view of each slice, those at the end of {options.views} views.")
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
