"""The folder of a run: the names of its files, its lock, and the files that are text."""

import csv
import json
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tinydnn
from tinydnn.data.dataset import Dataset
from tinydnn.errors import InputError
from tinydnn.storage import atomic_write
from tinydnn.training.evaluation import Evaluation
from tinydnn.training.protocol import Record, Step, Validation

CONFIG, HISTORY, METRICS = "config.json", "history.csv", "metrics.json"
CHECKPOINT, MODEL = "checkpoint.h5", "model.h5"
PROGRESS_PLOT, CONFUSION_PLOT = "training-progress.png", "confusion-matrix.png"
PREDICTIONS, REPORT = "predictions.csv", "report.html"
FILES = (CONFIG, HISTORY, METRICS, PREDICTIONS, CHECKPOINT, MODEL, PROGRESS_PLOT, CONFUSION_PLOT, REPORT)
# Of a finished run, if its model has been explained.
EXPLANATIONS_REPORT = "explanations.json"
EXPLANATIONS = (
    EXPLANATIONS_REPORT, "explanations.png", "explanations-faithfulness.png", "explanations-sanity.png",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of a run for its test slices, with the index, the file and the patient of each, (N,)."""

    indices: np.ndarray
    files: list[str]
    patients: np.ndarray
    evaluation: Evaluation


def contains_run(folder: Path) -> bool:
    """Whether the folder contains any file of a run."""
    return any((folder / name).exists() for name in FILES)


def remove_run(folder: Path) -> None:
    """Remove the files of a run, and the explanations of its model.

    The metrics come first, because they mark a complete run, and the configuration last, because a checkpoint means
    nothing without it.
    """
    between = (name for name in (*EXPLANATIONS, *FILES) if name not in (METRICS, CONFIG))
    for name in (METRICS, *between, CONFIG):
        (folder / name).unlink(missing_ok=True)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Create the folder if need be and lock it against other processes; the lock ends with the process at the latest.

    Raises `InputError` if another process holds it. Without support for such locks (Windows, some network
    file systems), nothing is locked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            import fcntl

            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another process is writing to this folder; wait for it") from None
        except (ImportError, OSError):
            pass
        yield


def remove_partial_files(folder: Path) -> None:
    """Remove the temporary files of writes that a kill interrupted."""
    for path in map(Path, FILES):
        for partial in folder.glob(f".{path.stem}-*{path.suffix}"):
            partial.unlink(missing_ok=True)


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that decide the result."""
    import h5py

    packages = {"tinydnn": tinydnn, "numpy": np, "h5py": h5py}
    return {"python": platform.python_version(), **{name: package.__version__ for name, package in packages.items()}}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def write_history(path: Path, records: list[Record]) -> None:
    """One row per iteration; the last one of an epoch holds the held-out loss and accuracy, too."""
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


def write_predictions(path: Path, evaluation: Evaluation, dataset: Dataset, indices: np.ndarray) -> None:
    """One row per test slice: index, file, patient, label, prediction, and the probability of each class."""
    names = dataset.class_names
    rows = zip(indices.tolist(), evaluation.labels, evaluation.probabilities, strict=True)
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8", errors="replace") as file:
        writer = csv.writer(file)
        writer.writerow(["slice", "file", "patient", "label", "prediction", *names])
        for index, label, probabilities in rows:
            name = dataset.files[index] if len(dataset.files) else ""
            prediction = names[probabilities.argmax()]
            values = map(repr, probabilities.tolist())
            writer.writerow([index, name, dataset.patients[index], names[label], prediction, *values])


def read_predictions(path: Path, class_names: Sequence[str]) -> Predictions:
    """The predictions that `write_predictions` wrote. Their loss is not in the file, so it is NaN."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        labels = np.array([list(class_names).index(row[3]) for row in rows])
        columns = [header.index(name, 5) for name in class_names]  # after prediction; a class may be named "label"
        probabilities = np.array([[float(row[column]) for column in columns] for row in rows])
        indices, patients = np.array([int(row[0]) for row in rows]), np.array([row[2] for row in rows])
        return Predictions(indices, [row[1] for row in rows], patients, Evaluation(float("nan"), labels, probabilities))
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{path}: expected the predictions of a run, found something else ({error})") from None


def read_history(path: Path) -> list[Record]:
    """The records that `write_history` wrote."""
    records: list[Record] = []
    try:
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                epoch, iteration = int(row["epoch"]), int(row["iteration"])
                values = (float(row[name]) for name in ("learning_rate", "loss", "accuracy", "seconds"))
                records.append(Step(epoch, iteration, *values))
                if row["validation_loss"]:
                    loss, accuracy = float(row["validation_loss"]), float(row["validation_accuracy"])
                    records.append(Validation(epoch, iteration, loss, accuracy))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{path}: expected the history of a run, found something else ({error})") from None
    return records
