"""The folder of an evaluation: metrics.json, predictions.csv and confusion-matrix.png."""

from pathlib import Path
from typing import Any

import numpy as np

from tinydnn import plots
from tinydnn.data.dataset import Dataset
from tinydnn.errors import InputError
from tinydnn.runs import files
from tinydnn.runs.crossval import contains_folds
from tinydnn.training.evaluation import Evaluation

RESULTS = (files.METRICS, files.PREDICTIONS, files.CONFUSION_PLOT)


def require_results_folder(folder: Path, *, overwrite: bool) -> None:
    """Raise `InputError` unless the results of an evaluation may be written to `folder`.

    A training run and a cross-validation have files of the same names, so their folders are refused even with
    `overwrite`.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out: expected a folder, found a file at {folder}")
    if any((folder / name).exists() for name in files.FILES if name not in RESULTS):
        raise InputError(f"--out: {folder} holds a training run; choose another folder")
    if contains_folds(folder):
        raise InputError(f"--out: {folder} holds a cross-validation; choose another folder")
    if any((folder / name).exists() for name in RESULTS) and not overwrite:
        raise InputError(f"--out: {folder} holds results already; choose another folder, or --overwrite them")


def write_results(
    folder: Path,
    evaluation: Evaluation,
    dataset: Dataset,
    metrics: dict[str, Any],
    *,
    overwrite: bool,
    title: str,
    note: str,
) -> None:
    """Write the evaluation of all slices of a dataset, each file atomically, replacing those of an earlier one.

    metrics.json is removed first and written last: if it exists, the three files belong together. Raises `InputError`
    as `require_results_folder` does, which is checked again while no other process writes to the folder.
    """
    with files.lock_folder(folder):
        require_results_folder(folder, overwrite=overwrite)
        (folder / files.METRICS).unlink(missing_ok=True)
        files.write_predictions(folder / files.PREDICTIONS, evaluation, dataset, np.arange(len(dataset)))
        figure = plots.confusion_matrix(
            matrix=np.array(metrics["confusion_matrix"]),
            class_names=dataset.class_names,
            title=title,
            note=note,
            interval=metrics["accuracy_interval_95"],
        )
        plots.save(figure, folder / files.CONFUSION_PLOT)
        files.write_json(folder / files.METRICS, metrics)
