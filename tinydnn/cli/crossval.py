"""`tinydnn crossval`: hold out every slice once, in folds, and pool what is found."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from tinydnn.backend import check_device
from tinydnn.cli import choices
from tinydnn.cli.app import app
from tinydnn.cli.display import console, describe, print_metrics, progress_bar, say, say_skipped
from tinydnn.cli.running import gathered, open_dataset, stopped, train_run
from tinydnn.cli.threads import Threads
from tinydnn.errors import InputError

if TYPE_CHECKING:
    from tinydnn.runs.crossval import CrossValidation


@app.command()
def crossval(
    context: typer.Context,
    data: choices.Data,
    recipe: Annotated[
        str, typer.Option(help="paper, fast, best or a .toml file; one whose model is vgg16, say, fine-tunes it.")
    ] = "paper",
    folds: Annotated[int, typer.Option(help="How many folds.")] = 5,
    by: Annotated[str, typer.Option(help="slice, patient (none on both sides) or official (cvind.mat).")] = "patient",
    epochs: Annotated[
        int | None, typer.Option(help="How often every training slice is shown; else the recipe's.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Pixels along each side; else the recipe's.")] = None,
    crop: choices.Crop = "none",
    margin: choices.Margin = 0.2,
    seed: choices.Seed = 0,
    skip_broken: choices.SkipBroken = False,
    device: choices.Device = "cpu",
    threads: Threads = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the folds; runs/crossval-N where not given.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the folds in --out.")] = False,
) -> None:
    """Train once for each fold, test on what it held out, and report all folds together."""
    from tinydnn.runs import FinetuneOptions, FinetuneRun, Options, Run
    from tinydnn.runs.crossval import CrossValidation
    from tinydnn.runs.files import alone_in
    from tinydnn.runs.options import SPLITS, one_of
    from tinydnn.runs.recipes import adapts

    one_of("by", by, (*SPLITS, "official"))
    kind, run_type = (FinetuneOptions, FinetuneRun) if adapts(recipe) else (Options, Run)
    given, _ = gathered(context, kind)
    options = kind(**given | {"split": by, "folds": folds, "fold": 1})
    folder = _folder(out, resume)
    check_device(options.device)
    go_on = f"tinydnn crossval {shlex.quote(data)} … --out {shlex.quote(str(folder))} --resume, and the same options"
    try:
        validation = CrossValidation(folder, options, open_dataset(options), run_type)
        with alone_in(folder):
            _introduce(validation)
            for run in validation.runs():
                say(f"{run.folder.name}: {len(run.split.train)} to train, {len(run.split.test)} held out")
                with progress_bar("Computing features") as progress:
                    run.prepare(progress)
                for note in run.notes():
                    say(note)
                train_run(run, go_on)
                accuracy = run.finish()["accuracy"]
                say(f"{run.folder.name}: accuracy {accuracy:.2%}")
            report = validation.finish()
    except KeyboardInterrupt:
        stopped("Stopped.", go_on)
    _show(report)
    say(f"Report, pictures and folds are in {folder}")


def _folder(out: Path | None, resume: bool) -> Path:
    if out is None:
        if resume:
            raise InputError("--resume: expected the folder of the folds as --out, found none")
        number = 1
        while (new := Path("runs") / f"crossval-{number}").exists():
            number += 1
        return new
    if out.exists() and not out.is_dir():
        raise InputError(f"--out: expected a folder, found a file at {out}")
    if any(out.glob("fold-*")) and not resume:
        raise InputError(f"--out: {out} holds folds already; choose another folder, or --resume to go on with them")
    return out


def _introduce(validation: "CrossValidation") -> None:
    from tinydnn.runs.evaluation import MASK_NOTE

    options, dataset = validation.options, validation.dataset
    say_skipped(dataset)
    say(f"{describe(dataset)}: {', '.join(dataset.class_names)}")
    training = f"{options.model}, {options.epochs} epochs each"
    say(f"{options.folds} folds by {options.split}, recipe {options.recipe}: {training}")
    if dataset.crop.uses_mask:
        say(MASK_NOTE)
    say(f"Folder: {validation.folder}")


def _show(report: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("fold", "accuracy", "slices", "patients", "right by vote"):
        table.add_column(column, justify="left" if column == "fold" else "right")
    for number, one in [*enumerate(report["each_fold"], start=1), ("all", report["pooled"])]:
        votes = one["per_patient"]
        voted = f"{votes['mean_vote']:.1%}" if votes else "-"
        table.add_row(str(number), f"{one['accuracy']:.2%}", str(one["slices"]), str(one["patients"]), voted)
    console.print(table)
    print_metrics(report["pooled"])
