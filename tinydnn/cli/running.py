"""Common to the commands that train: gather options, open the data, choose a folder, train until done or Ctrl-C."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import typer

from tinydnn.cli.app import INTERRUPTED
from tinydnn.cli.choices import CHANGES
from tinydnn.cli.display import say
from tinydnn.cli.progress import TrainingDisplay, progress_bar
from tinydnn.data.dataset import Dataset
from tinydnn.data.load import PHANTOMS
from tinydnn.data.prepare import cache
from tinydnn.errors import InputError
from tinydnn.runs import RANDOM, Options, Run
from tinydnn.runs.recipes import read_recipe

FEW_ITERATIONS = 100  # the paper takes 190


def explicit_options(context: typer.Context, kind: type[Options]) -> dict[str, Any]:
    """The options on the command line and those of its recipe, by name; explicit options override the recipe.

    Shorthands such as --rotate are appended to the value of --augment. Paths become absolute, so that the run can be
    resumed from another folder.
    """
    explicit = {name: value for name, value in context.params.items() if _is_explicit(context, name)}
    values = {name: value for name, value in explicit.items() if name in kind.__dataclass_fields__}
    if (recipe := context.params["recipe"]) is not None:
        values = {"recipe": recipe, **read_recipe(recipe, kind), **values}
    for name in {"data", "weights"} & values.keys():
        if isinstance(values[name], str) and values[name] != RANDOM:
            values[name] = str(Path(values[name]).absolute())
    changes = [f"{name}={float(explicit[name]):g}" for name in CHANGES if name in explicit]
    if changes:
        values["augment"] = ",".join([str(values.get("augment", kind.augment)), *changes])
    return values


def _is_explicit(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def open_dataset(options: Options) -> Dataset:
    """The dataset of a run, prepared in the user's cache folder unless it is there already."""
    source = options.data
    if source is None:
        say("No DATA was passed: this run uses synthetic phantoms, not images of patients.")
        with progress_bar("Drawing phantoms") as progress:
            source = str(cache.phantoms(PHANTOMS, size=options.size, progress=progress))
    with progress_bar("Preparing slices") as progress:
        path = cache.prepared(
            source, size=options.size, crop=options.cropping, skip_broken=options.skip_broken, progress=progress
        )
    return Dataset.open(path)


def output_folder(out: Path | None, name: str) -> Path:
    """The folder `out`, or the first of runs/NAME-1, runs/NAME-2, … that does not exist. A file raises `InputError`."""
    if out is None:
        numbered = (Path("runs") / f"{name}-{number}" for number in count(1))
        return next(path for path in numbered if not path.exists())
    if out.exists() and not out.is_dir():
        raise InputError(f"--out: expected a folder, found a file at {out}")
    return out


def check_out(folder: Path, options: Options, *, resume: bool, overwrite: bool) -> None:
    """Raise `InputError` unless --out, --resume and --overwrite agree with each other and with what the run reads."""
    if resume and overwrite:
        raise InputError("--resume, --overwrite: expected one of the two, found both")
    if options.data is not None and folder.resolve() == Path(options.data).resolve():
        raise InputError(f"--out: expected another folder than that of the data, found {folder}")
    for path in (options.data, getattr(options, "weights", None)):
        if overwrite and path not in (None, RANDOM) and Path(path).resolve().is_relative_to(folder.resolve()):
            raise InputError(f"--overwrite: expected data and weights outside of {folder}, found {path}")


def say_few_iterations(iterations: int, option: str) -> None:
    """Warn of a training with few iterations; `option` gives more of them."""
    if iterations < FEW_ITERATIONS:
        say(f"These are few iterations ({iterations}); a smaller {option} gives more of them.")


def train_run(run: Run, resume_command: str) -> None:
    """Train to the end and display it; Ctrl-C saves the run and ends the program with a hint at `resume_command`."""
    trainer = run.trainer
    with _interruptible() as interrupts, TrainingDisplay(trainer) as display:
        for record in run.records():
            display.show(record)
            if interrupts:
                run.save()
                break
    if interrupts:
        exit_interrupted(f"Stopped after iteration {trainer.iteration} of {trainer.iterations}.", resume_command)
    if trainer.protocol.select_best:
        best = trainer.best
        say(f"Best epoch: {best.epoch}, with validation loss {best.loss:.4f}; its weights are tested and saved")


def exit_interrupted(message: str, resume_command: str) -> NoReturn:
    """End the program after Ctrl-C with a hint on how to resume."""
    say(f"{message} Resume with: {resume_command}")
    sys.exit(INTERRUPTED)


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Collect Ctrl-C in a list instead of raising, so that the iteration is completed; a second Ctrl-C raises."""
    interrupts: list[int] = []

    def collect(number: int, frame: Any) -> None:
        interrupts.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, collect)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
