"""`tinydnn crossval`: hold out every slice once, in folds, and pool the results."""

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from tinydnn.backend import check_device
from tinydnn.cli import choices
from tinydnn.cli.app import app
from tinydnn.cli.display import console, describe, print_metrics, say, say_skipped
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
from tinydnn.errors import InputError
from tinydnn.runs import FinetuneOptions, FinetuneRun, Options, Run
from tinydnn.runs.crossval import CrossValidation, remove_folds, require_folder_of_folds
from tinydnn.runs.evaluation import MASK_NOTE
from tinydnn.runs.files import lock_folder
from tinydnn.runs.recipes import is_finetune_recipe
from tinydnn.words import count

OPTIONS = ("recipe", "folds", "epochs", "size", "crop", "margin", "seed", "skip_broken", "device")
FROM_RECIPE = dict.fromkeys(("epochs", "size", "crop", "margin"))  # no default: the recipe decides


@app.command(
    examples=(
        "tinydnn crossval figshare --recipe best --by patient",
        "tinydnn crossval figshare --recipe best --by patient --out runs/crossval-1 --resume",
    )
)
@choices.options_of(Options, OPTIONS, defaults={**FROM_RECIPE, "recipe": "paper"})
def crossval(
    context: typer.Context,
    data: choices.Data,
    by: Annotated[
        Literal["slice", "patient", "official"],
        typer.Option(help="patient: no patient in both parts; official: cvind.mat.", rich_help_panel="Evaluation"),
    ] = "patient",
    threads: choices.Threads = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the folds; by default runs/crossval-N.", rich_help_panel="Run")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the folds in --out.", rich_help_panel="Run")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the folds in --out.", rich_help_panel="Run")
    ] = False,
    **options: Any,
) -> None:
    """Train once for each fold, test on its held-out slices, and report all folds together.

    The recipe decides --epochs, --size, --crop and --margin where they are omitted; one that names a pretrained
    network fine-tunes it.
    """
    finetune = is_finetune_recipe(context.params["recipe"])
    options_type, run_type = (FinetuneOptions, FinetuneRun) if finetune else (Options, Run)
    fold_options = options_type(**explicit_options(context, options_type) | {"split": by, "fold": 1})
    if out is None and resume:
        raise InputError("--resume: expected the folder of the folds as --out, found none")
    folder = output_folder(out, "crossval")
    check_out(folder, fold_options, resume=resume, overwrite=overwrite)
    require_folder_of_folds(folder, new=not (resume or overwrite), kind=options_type)
    check_device(fold_options.device)
    hint = "the same command"
    try:
        validation = CrossValidation(folder, fold_options, open_dataset(fold_options), run_type)
        with lock_folder(folder):
            iterations = validation.fold_run(1).trainer.iterations  # checks the options before anything is removed
            require_folder_of_folds(folder, new=not (resume or overwrite), kind=options_type)
            if not resume:
                remove_folds(folder)
            where = f"{shlex.quote(data)} … --out {shlex.quote(str(folder))}"
            hint = f"tinydnn crossval {where} --resume, and the other options"
            _print_overview(validation)
            say_few_iterations(iterations, "batch_size in the recipe")
            for run in validation.runs():
                say(f"{run.folder.name}: {len(run.split.train)} to train, {len(run.split.test)} to test")
                with progress_bar("Computing features") as progress:
                    run.prepare(progress)
                for note in run.notes():
                    say(note)
                train_run(run, hint)
                accuracy = run.finish()["accuracy"]
                say(f"{run.folder.name}: accuracy {accuracy:.2%}")
            report = validation.finish()
    except KeyboardInterrupt:
        exit_interrupted("Stopped.", hint)
    _print_report(report)
    say(f"Report, plots and folds are in {folder}")


def _print_overview(validation: CrossValidation) -> None:
    options, dataset = validation.options, validation.dataset
    say_skipped(dataset)
    say(f"{describe(dataset)}: {', '.join(dataset.class_names)}")
    training = f"{options.model}, {count(options.epochs, 'epoch')} each"
    say(f"{options.folds} folds by {options.split}, recipe {options.recipe}: {training}")
    if dataset.crop.uses_mask:
        say(MASK_NOTE)
    say(f"Folder: {validation.folder}")


def _print_report(report: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("fold", "accuracy", "slices", "patients", "correct by vote"):
        table.add_column(column, justify="left" if column == "fold" else "right")
    for fold, metrics in [*enumerate(report["each_fold"], start=1), ("all", report["pooled"])]:
        votes = metrics["per_patient"]
        correct = f"{votes['mean_vote']:.1%}" if votes else "-"
        table.add_row(
            str(fold), f"{metrics['accuracy']:.2%}", str(metrics["slices"]), str(metrics["patients"]), correct
        )
    console.print(table)
    print_metrics(report["pooled"])
