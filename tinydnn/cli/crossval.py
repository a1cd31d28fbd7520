"""`tinydnn crossval`: hold out every slice once, in folds, and pool what is found."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from tinydnn.backend import check_device
from tinydnn.cli.app import app
from tinydnn.cli.display import console, describe, print_metrics, say, say_skipped
from tinydnn.cli.running import gathered, open_dataset, stopped, train_run
from tinydnn.cli.threads import Threads
from tinydnn.errors import InputError

if TYPE_CHECKING:
    from tinydnn.runs.crossval import CrossValidation


@app.command()
def crossval(
    context: typer.Context,
    data: Annotated[str, typer.Argument(help="Folder of .mat files, zips, image folder or prepared file.")],
    recipe: Annotated[str, typer.Option(help="paper, fast, best or a .toml file.")] = "paper",
    folds: Annotated[int, typer.Option(help="How many folds.")] = 5,
    by: Annotated[str, typer.Option(help="slice, patient (none on both sides) or official (cvind.mat).")] = "patient",
    epochs: Annotated[int, typer.Option(help="How often every training slice is shown; else the recipe's.")] = 10,
    size: Annotated[int, typer.Option(help="Pixels along each side; else the recipe's.")] = 256,
    crop: Annotated[str, typer.Option(help="none, head, ring or tumour; the last two use the mask.")] = "none",
    margin: Annotated[float, typer.Option(help="Kept round the tumour, in its own size.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Decides folds, weights, shuffling, augmentation and dropout.")] = 0,
    skip_broken: Annotated[bool, typer.Option(help="Leave out files that cannot be read, and list them.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    threads: Threads = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the folds; runs/crossval-N where not given.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the folds in --out.")] = False,
) -> None:
    """Train once for each fold, test on what it held out, and report all folds together."""
    from tinydnn.runs import Options
    from tinydnn.runs.crossval import CrossValidation
    from tinydnn.runs.files import alone_in
    from tinydnn.runs.options import SPLITS, one_of

    one_of("by", by, (*SPLITS, "official"))
    given, _ = gathered(context, Options)
    options = Options(**given | {"split": by, "folds": folds, "fold": 1})
    folder = _folder(out, resume)
    check_device(options.device)
    go_on = f"tinydnn crossval {shlex.quote(data)} … --out {shlex.quote(str(folder))} --resume, and the same options"
    try:
        validation = CrossValidation(folder, options, open_dataset(options))
        with alone_in(folder):
            _introduce(validation)
            for run in validation.runs():
                say(f"{run.folder.name}: {len(run.split.train)} to train, {len(run.split.test)} held out")
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
    say(f"{options.folds} folds by {options.split}, recipe {options.recipe}, {options.epochs} epochs each")
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
