"""The files of a run's folder that are text, and what a folder must hold to be gone on with."""

import csv
import json
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np

from tinydnn.data.dataset import Dataset
from tinydnn.errors import InputError
from tinydnn.runs.options import Options
from tinydnn.storage import atomic_write
from tinydnn.training.evaluation import Evaluation
from tinydnn.training.trainer import Record, Step, Validation

CONFIG, HISTORY, METRICS = "config.json", "history.csv", "metrics.json"
CHECKPOINT, MODEL = "checkpoint.h5", "model.h5"
PROGRESS_PICTURE, CONFUSION_PICTURE = "training-progress.png", "confusion-matrix.png"
PREDICTIONS = "predictions.csv"
FILES = (CONFIG, HISTORY, METRICS, PREDICTIONS, CHECKPOINT, MODEL, PROGRESS_PICTURE, CONFUSION_PICTURE)


def holds_a_run(folder: Path) -> bool:
    """Whether any file of a run is there."""
    return any((folder / name).exists() for name in FILES)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes out of the folder, which is made if it is not there; the lock ends with the process.

    Raises `InputError` while another one is in it. Where there are no such locks (Windows, some network file
    systems), nobody is kept out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            import fcntl

            handle = os.open(folder, os.O_RDONLY)
            held.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another process is training in this folder; wait for it") from None
        except (ImportError, OSError):
            pass
        yield


def remove_leftovers(folder: Path) -> None:
    """Remove what is left of files that were being written when the process was killed."""
    for name in FILES:
        path = Path(name)
        for left in folder.glob(f".{path.stem}-*{path.suffix}"):
            left.unlink(missing_ok=True)


def read_config(folder: Path, kind: type[Options] = Options) -> dict[str, Any]:
    """The `config.json` of a run with options of a kind. Raises `InputError` where there is none that can be read."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text())
        began = config.get("command", Options.command)
        if began != kind.command:
            raise ValueError(f"of `tinydnn {began}`, where one of `tinydnn {kind.command}` is needed")
        missing = {field.name for field in fields(kind)} - config["options"].keys()
        if missing:
            raise ValueError(f"options: {', '.join(sorted(missing))} missing")
        kind(**config["options"])
        config["data"]["content"], config["threads"]
    except FileNotFoundError:
        raise InputError(f"{folder}: expected a run to go on with, found no {CONFIG}") from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: expected the configuration of a run, found something else ({error})") from None
    return cast(dict[str, Any], config)


def versions() -> dict[str, str]:
    """What computed the figures."""
    return {"python": platform.python_version(), **{name: version(name) for name in ("tinydnn", "numpy", "h5py")}}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content`, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def write_history(path: Path, records: list[Record]) -> None:
    """One line an iteration; the held-out figures stand on the line of the epoch's last."""
    held_out = {record.iteration: record for record in records if isinstance(record, Validation)}
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        names = ["epoch", "iteration", "learning_rate", "loss", "accuracy", "seconds"]
        writer = csv.DictWriter(file, [*names, "validation_loss", "validation_accuracy"])
        writer.writeheader()
        for step in (record for record in records if isinstance(record, Step)):
            row = asdict(step)
            if step.iteration in held_out:
                row["validation_loss"] = held_out[step.iteration].loss
                row["validation_accuracy"] = held_out[step.iteration].accuracy
            writer.writerow(row)


def write_predictions(path: Path, found: Evaluation, dataset: Dataset, indices: np.ndarray) -> None:
    """One line a test slice: its file, its patient, what it is, what the model says, and how probable each class is."""
    names = dataset.class_names
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8", errors="replace") as file:
        writer = csv.writer(file)
        writer.writerow(["slice", "file", "patient", "label", "prediction", *names])
        for index, label, shares in zip(indices.tolist(), found.labels, found.probabilities, strict=True):
            name = dataset.files[index] if len(dataset.files) else ""
            best = names[shares.argmax()]
            writer.writerow([index, name, dataset.patients[index], names[label], best, *map(repr, shares.tolist())])


def read_predictions(path: Path, class_names: Sequence[str]) -> tuple[np.ndarray, Evaluation]:
    """The slices of a `write_predictions` and what was found on them; the loss is not in it, and NaN."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        labels = np.array([list(class_names).index(row[3]) for row in rows])
        shares = np.array([[float(share) for share in row[5:]] for row in rows])
        return np.array([int(row[0]) for row in rows]), Evaluation(float("nan"), labels, shares)
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{path}: expected the predictions of a run, found something else ({error})") from None
