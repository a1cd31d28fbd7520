"""What the folder of a finished run says: the input of its report."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinydnn.errors import InputError
from tinydnn.runs import files
from tinydnn.training.protocol import Record

CONFIG_KEYS = ("command", "options", "data", "implementations", "threads", "iterations_per_epoch")
METRICS_KEYS = (
    "accuracy", "accuracy_interval_95", "interval_over", "per_class", "macro", "confusion_matrix", "slices", "patients",
    "per_patient", "synthetic", "mask_used_at_test", "protocol", "views", "best_epoch", "training_seconds", "versions",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Results:
    """The configuration, the metrics, the history and the predictions of a finished run.

    probabilities: (N, K). labels, guesses: (N,), true and predicted classes. units: (N,), the independent unit of each
    slice in a bootstrap: its patient where the interval of the accuracy is over patients, else the slice itself.
    """

    folder: Path
    config: dict[str, Any]
    metrics: dict[str, Any]
    records: list[Record]
    predictions: files.Predictions

    def __post_init__(self) -> None:
        if len(self.labels) != self.metrics["slices"]:
            raise InputError(
                f"{self.folder}: expected {self.metrics['slices']} predictions, as {files.METRICS} says, "
                f"found {len(self.labels)}"
            )

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return self.folder.resolve().name

    @property
    def class_names(self) -> list[str]:
        return list(self.config["data"]["class_names"])

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.config["options"])

    @property
    def labels(self) -> np.ndarray:
        return self.predictions.evaluation.labels

    @property
    def probabilities(self) -> np.ndarray:
        return self.predictions.evaluation.probabilities

    @property
    def guesses(self) -> np.ndarray:
        return self.predictions.evaluation.predictions

    @property
    def correct(self) -> np.ndarray:
        return self.guesses == self.labels

    @property
    def patients(self) -> np.ndarray:
        return self.predictions.patients

    @property
    def units(self) -> np.ndarray:
        return self.patients if self.metrics["interval_over"] == "patients" else np.arange(len(self.labels)).astype(str)


def read_results(folder: Path, metrics: dict[str, Any] | None = None) -> Results:
    """Read the results of a run. metrics: instead of metrics.json, which is the last file of a run.

    Raises `InputError` for a folder without a finished run, and for a file that is not what a run writes.
    """
    if (folder / "crossval.json").exists():
        raise InputError(f"{folder}: expected the folder of one run, found a cross-validation; name one of its folds")
    config = _read_json(folder / files.CONFIG, CONFIG_KEYS)
    if metrics is None:
        metrics = _read_json(folder / files.METRICS, METRICS_KEYS)
    predictions = files.read_predictions(folder / files.PREDICTIONS, config["data"]["class_names"])
    return Results(folder, config, metrics, files.read_history(folder / files.HISTORY), predictions)


def _read_json(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path.parent}: expected the folder of a finished run, found no {path.name}") from None
    except ValueError as error:
        raise InputError(f"{path}: expected JSON, found something else ({error})") from None
    missing = [key for key in keys if key not in content] if isinstance(content, dict) else keys
    if missing:
        raise InputError(f"{path}: expected the file of a run, found no {missing[0]!r} in it")
    return content
