"""Cross-validation: a run for each fold and a report on all of them."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinydnn import plots
from tinydnn.data.dataset import Dataset
from tinydnn.data.split import fold_numbers
from tinydnn.errors import InputError
from tinydnn.runs import files
from tinydnn.runs.config import require_replaceable
from tinydnn.runs.evaluation import MASK_NOTE, evaluation_report
from tinydnn.runs.options import Options
from tinydnn.runs.run import Run
from tinydnn.training.evaluation import Evaluation

REPORT, PLOT = "crossval.json", "crossval.png"


def contains_folds(folder: Path) -> bool:
    """Whether the folder contains any file of a cross-validation."""
    return any((folder / name).exists() for name in (REPORT, PLOT)) or bool(_fold_folders(folder))


def require_folder_of_folds(folder: Path, *, new: bool, kind: type[Options]) -> None:
    """Raise `InputError` if the folder holds a training run; and, for a `new` cross-validation, a fold or a report."""
    if any((folder / name).exists() for name in files.FILES if name != files.CONFUSION_PLOT):
        raise InputError(f"--out: {folder} holds a training run; choose another folder")
    if not new:
        return
    for fold in _fold_folders(folder):
        require_replaceable(fold, kind)
    if any((folder / name).exists() for name in (REPORT, PLOT, files.CONFUSION_PLOT)):
        raise InputError(f"--out: {folder} holds a report already; choose another folder, or --overwrite it")


def remove_folds(folder: Path) -> None:
    """Remove the report, the plots and the folds of a cross-validation; a fold's folder too, if it is empty then."""
    for name in (REPORT, PLOT, files.CONFUSION_PLOT):
        (folder / name).unlink(missing_ok=True)
    for fold in _fold_folders(folder):
        files.remove_run(fold)
        if not any(fold.iterdir()):
            fold.rmdir()


def _fold_folders(folder: Path) -> list[Path]:
    return sorted(folder.glob("fold-[0-9]*"))


class CrossValidation:
    """A folder with a run folder for each fold, `crossval.json` and two plots.

    Each fold trains a new model, normalised with the statistics of its own training set. Complete folds are not run
    again, interrupted ones are resumed. Every slice is held out once, so it counts once in the pooled metrics.
    """

    def __init__(self, folder: Path, options: Options, dataset: Dataset, run_type: type[Run] = Run) -> None:
        self.folder, self.dataset, self.run_type = folder, dataset, run_type
        self.options = replace(options, fold=1)
        # Called for its checks alone.
        fold_numbers(dataset, by=options.split, folds=options.folds, seed=options.seed)

    def fold_folder(self, fold: int) -> Path:
        """The folder of the run of a fold."""
        return self.folder / f"fold-{fold:02d}"

    def fold_run(self, fold: int) -> Run:
        """The run of a fold before its start; it checks the options against the data."""
        return self.run_type(self.fold_folder(fold), replace(self.options, fold=fold), self.dataset)

    def runs(self) -> Iterator[Run]:
        """Start and yield the run of each fold that is not complete."""
        for fold in range(1, self.options.folds + 1):
            run = self.fold_run(fold)
            run.start()
            if not run.complete:
                yield run

    def finish(self) -> dict[str, Any]:
        """Pool the predictions of all folds; write the report and the plots, and return the report."""
        predictions = [
            files.read_predictions(self.fold_folder(fold) / files.PREDICTIONS, self.dataset.class_names)
            for fold in range(1, self.options.folds + 1)
        ]
        indices = np.concatenate([fold.indices for fold in predictions])
        if len(set(indices.tolist())) != len(self.dataset):
            raise ValueError(f"{self.folder}: expected every slice to be held out once")
        pooled = Evaluation(
            float("nan"),
            np.concatenate([fold.evaluation.labels for fold in predictions]),
            np.concatenate([fold.evaluation.probabilities for fold in predictions]),
        )
        report = {
            "split": self.options.split,
            "folds": self.options.folds,
            "seed": self.options.seed,
            "recipe": self.options.recipe,
            "model": self.options.model,
            "options": asdict(self.options),
            "pooled": self._evaluation_report(pooled, indices),
            "each_fold": [self._evaluation_report(fold.evaluation, fold.indices) for fold in predictions],
            "versions": files.versions(),
        }
        self._plot(report)
        files.write_json(self.folder / REPORT, report)
        return report

    def _evaluation_report(self, evaluation: Evaluation, indices: np.ndarray) -> dict[str, Any]:
        return evaluation_report(evaluation, self.dataset, indices, new_patients=self.options.split != "slice")

    def _plot(self, report: dict[str, Any]) -> None:
        pooled, options = report["pooled"], self.options
        title = f"{options.folds} folds by {options.split}, {options.recipe or options.model}"
        note = "Synthetic phantoms. " if self.dataset.synthetic else ""
        note += "Every slice is held out once" + ("." if options.split == "slice" else ", no patient is on both sides.")
        if self.dataset.crop.uses_mask:
            note += f" {MASK_NOTE}"
        names = self.dataset.class_names
        matrix = plots.confusion_matrix(
            matrix=np.array(pooled["confusion_matrix"]),
            class_names=names,
            title=title,
            note=note,
            interval=pooled["accuracy_interval_95"],
        )
        plots.save(matrix, self.folder / files.CONFUSION_PLOT)
        plots.save(plots.folds(report=report, class_names=names, title=title, note=note), self.folder / PLOT)
