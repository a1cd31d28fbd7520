"""What the commands that train share: their options, the data, and training that Ctrl-C may stop."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from tinydnn.cli.app import INTERRUPTED
from tinydnn.cli.display import TrainingDisplay, progress_bar, say

if TYPE_CHECKING:
    from tinydnn.data.dataset import Dataset
    from tinydnn.runs import Options, Run

PHANTOMS = 600
CHANGES = ("rotate", "shift", "zoom", "flip", "brightness", "contrast", "saturation", "cutout")


def gathered(context: typer.Context, kind: "type[Options]") -> tuple[dict[str, Any], set[str]]:
    """The options of a kind of run from those of the command line, and the names of those that were given.

    A recipe's stand where nothing else was given; single changes of the augmentation become part of its text.
    """
    from tinydnn.runs.finetune import RANDOM
    from tinydnn.runs.recipes import read_recipe

    parameters = context.params
    explicit = {name for name in parameters if _is_explicit(context, name)}
    known = kind.__dataclass_fields__
    given = {name: value for name, value in parameters.items() if name in known and value is not None}
    if "recipe" in given:
        recipe = read_recipe(given["recipe"], kind)
        given |= {name: value for name, value in recipe.items() if name not in explicit}
        explicit = explicit | recipe.keys()
    for name in {"data", "weights"} & given.keys():
        if given[name] != RANDOM:
            given[name] = str(Path(given[name]).absolute())  # so that the run can be resumed from another folder
    changes = {name: parameters[name] for name in CHANGES if parameters.get(name) is not None}
    if changes:
        given["augment"] = ",".join(
            [given["augment"], *(f"{name}={float(value):g}" for name, value in changes.items())]
        )
        explicit = explicit | {"augment"}
    return given, explicit & known.keys()


def _is_explicit(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def open_dataset(options: "Options") -> "Dataset":
    """The dataset of the run, prepared in the user's cache folder where it is not yet."""
    from tinydnn.data.dataset import Dataset
    from tinydnn.data.prepare import cache

    source = options.data
    if source is None:
        say("No DATA was given: this run uses synthetic phantoms, which are drawn, not measured on anybody.")
        with progress_bar("Drawing phantoms") as progress:
            source = str(cache.phantoms(PHANTOMS, size=options.size, progress=progress))
    with progress_bar("Preparing slices") as progress:
        path = cache.prepared(
            source, size=options.size, crop=options.cropping, skip_broken=options.skip_broken, progress=progress
        )
    return Dataset.open(path)


def train_run(run: "Run", go_on: str) -> None:
    """Train to the end and show it; Ctrl-C saves, says to go on with the command `go_on`, and ends the program."""
    trainer = run.trainer
    with _interruptible() as interrupted, TrainingDisplay(trainer) as display:
        for record in run.records():
            display.show(record)
            if interrupted:
                run.save()
                break
    if interrupted:
        stopped(f"Stopped after iteration {trainer.iteration} of {trainer.iterations}.", go_on)


def stopped(what: str, go_on: str) -> NoReturn:
    """Say how to go on, and end the program."""
    say(f"{what} Go on with: {go_on}")
    sys.exit(INTERRUPTED)


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
