"""Cross-validation: a run for each fold, and one report of them all."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinydnn import plots
from tinydnn.data.dataset import Dataset
from tinydnn.data.split.folds import fold_numbers
from tinydnn.runs import files
from tinydnn.runs.evaluation import MASK_NOTE, measure
from tinydnn.runs.options import Options
from tinydnn.runs.run import Run
from tinydnn.training.evaluation import Evaluation

REPORT, PICTURE = "crossval.json", "crossval.png"


class CrossValidation:
    """A folder with a run folder for each fold, `crossval.json` and two pictures.

    Each fold trains anew, on statistics of its own training part; a fold that is complete is not run again, and one
    that was stopped goes on. Every slice is held out once, so the pooled figures count each slice once.
    """

    def __init__(self, folder: Path, options: Options, dataset: Dataset, run_type: type[Run] = Run) -> None:
        self.folder, self.dataset, self.run_type = folder, dataset, run_type
        self.options = replace(options, fold=1)
        fold_numbers(dataset, by=options.split, folds=options.folds, seed=options.seed)  # says what is wrong, if it is
        self.metrics: list[dict[str, Any]] = []

    def fold_folder(self, fold: int) -> Path:
        """Where the run of a fold is."""
        return self.folder / f"fold-{fold:02d}"

    def runs(self) -> Iterator[Run]:
        """The run of each fold that is not complete, ready to be started."""
        for fold in range(1, self.options.folds + 1):
            run = self.run_type(self.fold_folder(fold), replace(self.options, fold=fold), self.dataset)
            run.start()
            if not run.complete:
                yield run

    def finish(self) -> dict[str, Any]:
        """Pool the predictions of all folds; write the report and the pictures, and return the report."""
        numbers = range(1, self.options.folds + 1)
        found = [
            files.read_predictions(self.fold_folder(fold) / files.PREDICTIONS, self.dataset.class_names)
            for fold in numbers
        ]
        by_patient = self.options.split != "slice"
        figures = [measure(one, self.dataset, indices, by_patient=by_patient) for indices, one in found]
        indices = np.concatenate([indices for indices, _ in found])
        if len(set(indices.tolist())) != len(self.dataset):
            raise ValueError(f"{self.folder}: expected every slice to be held out once")
        pooled = Evaluation(
            float("nan"),
            np.concatenate([one.labels for _, one in found]),
            np.concatenate([one.probabilities for _, one in found]),
        )
        report = {
            "split": self.options.split,
            "folds": self.options.folds,
            "seed": self.options.seed,
            "recipe": self.options.recipe,
            "model": self.options.model,
            "options": asdict(self.options),
            "pooled": measure(pooled, self.dataset, indices, by_patient=by_patient),
            "each_fold": figures,
            "versions": files.versions(),
        }
        self._draw(report)
        files.write_json(self.folder / REPORT, report)
        return report

    def _draw(self, report: dict[str, Any]) -> None:
        pooled = report["pooled"]
        title = f"{self.options.folds} folds by {self.options.split}, {report['recipe'] or report['model']}"
        note = "Synthetic phantoms. " if self.dataset.synthetic else ""
        note += "Every slice is held out once" + ("" if by_slice(report) else ", no patient is on both sides") + "."
        if self.dataset.crop.uses_mask:
            note += f" {MASK_NOTE}"
        plots.confusion_matrix(
            self.folder / files.CONFUSION_PICTURE,
            matrix=np.array(pooled["confusion_matrix"]),
            class_names=self.dataset.class_names,
            title=title,
            note=note,
            interval=pooled["accuracy_interval_95"],
        )
        plots.folds(self.folder / PICTURE, report=report, class_names=self.dataset.class_names, title=title, note=note)


def by_slice(report: dict[str, Any]) -> bool:
    """Whether a patient may be on both sides."""
    return bool(report["split"] == "slice")
