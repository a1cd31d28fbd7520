"""The report of a finished run: its protocol and its plots."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tinydnn import plots
from tinydnn.data.dataset import Dataset
from tinydnn.runs.evaluation import MASK_NOTE
from tinydnn.runs.files import CONFUSION_PLOT, PROGRESS_PLOT, versions
from tinydnn.runs.options import Options
from tinydnn.runs.partition import Partition
from tinydnn.training.finetuning import Finetuner
from tinydnn.training.trainer import Trainer


def describe_run(
    options: Options, dataset: Dataset, split: Partition, trainer: Trainer, shared: int | None
) -> dict[str, Any]:
    """The protocol behind the metrics of a run, its length and its versions, ready for JSON.

    shared: the number of test slices of patients who are in training too; None where the patients are unknown.
    """
    train_patients, test_patients = (
        len(set(dataset.patients[indices].tolist()) - {""}) for indices in (split.train, split.test)
    )
    return {
        "protocol": {
            "split": options.split,
            "test_fraction": options.test_fraction,
            "fold": options.fold,
            "folds": options.folds if options.fold else None,
            "seed": options.seed,
            "train_slices": len(split.train),
            "validation_slices": len(split.validation),
            "test_slices": len(split.test),
            "train_patients": train_patients,
            "test_patients": test_patients,
            "test_slices_with_patient_in_training": shared,
            "share_with_patient_in_training": None if shared is None else shared / len(split.test),
        },
        "views": options.views,
        "best_epoch": asdict(trainer.best) if trainer.protocol.select_best else None,
        "iterations": trainer.iteration,
        "training_seconds": round(sum(step.seconds for step in trainer.steps), 3),
        "versions": versions(),
    }


def plot_run(
    folder: Path,
    options: Options,
    dataset: Dataset,
    split: Partition,
    trainer: Trainer,
    metrics: dict[str, Any],
    shared_note: str,
) -> None:
    """Plot the training progress and the confusion matrix of a run into its folder."""
    name = f"recipe {options.recipe}" if options.recipe else options.model
    validation = f", {len(split.validation)} to validate" if options.validation else ""
    title = f"{name}, {len(split.train)} slices to train{validation}, {len(split.test)} to test"
    note = f"Split by {options.split}. " + ("Synthetic phantoms. " if dataset.synthetic else "")
    if dataset.crop.uses_mask:
        note += f"{MASK_NOTE} "
    progress = plots.training_progress(
        trainer.records,
        title=f"{title}; {100 * metrics['accuracy']:.1f} % of the test slices correct",
        note=note + " ".join(_progress_notes(options, trainer)),
        held_out="validation" if options.validation else "test",
        best_epoch=trainer.best.epoch if trainer.protocol.select_best else None,
        thaws=_thaws(trainer),
    )
    plots.save(progress, folder / PROGRESS_PLOT)
    matrix = plots.confusion_matrix(
        matrix=np.array(metrics["confusion_matrix"]),
        class_names=dataset.class_names,
        title=title,
        note=note + shared_note,
        interval=metrics["accuracy_interval_95"],
    )
    plots.save(matrix, folder / CONFUSION_PLOT)


def _progress_notes(options: Options, trainer: Trainer) -> Iterator[str]:
    """Sentences on what the curves of a run show, and how its test differs from them."""
    if options.views > 1:
        yield f"The curve uses one view of each slice, the test {options.views}."
    if trainer.protocol.select_best:
        yield "The model of the best epoch was kept and tested."
    yield "Nothing was selected on the test slices."
    if isinstance(trainer, Finetuner):
        yield "The learning rate is that of the head."


def _thaws(trainer: Trainer) -> dict[int, str]:
    """What thaws at the beginning of an epoch, by epoch."""
    later = trainer.phases[1:] if isinstance(trainer, Finetuner) else ()
    return {
        phase.first_epoch: f"layers after {phase.frozen_to} thaw" if phase.frozen_to else "all layers thaw"
        for phase in later
    }
