"""The report of a finished run: its protocol and its plots."""

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
    steps, validations = trainer.steps, trainer.validations
    name = f"recipe {options.recipe}" if options.recipe else options.model
    title = f"{name}, {len(split.train)} slices to train, {len(split.test)} held out"
    note = f"Split by {options.split}. " + ("Synthetic phantoms. " if dataset.synthetic else "")
    if dataset.crop.uses_mask:
        note += f"{MASK_NOTE} "
    unused = "test slices; the curve shows the validation set" if options.validation else "held-out slices"
    plots.training_progress(
        folder / PROGRESS_PLOT,
        iterations=[step.iteration for step in steps],
        loss=[step.loss for step in steps],
        accuracy=[step.accuracy for step in steps],
        validation_iterations=[validation.iteration for validation in validations],
        validation_loss=[validation.loss for validation in validations],
        validation_accuracy=[validation.accuracy for validation in validations],
        iterations_per_epoch=trainer.iterations_per_epoch,
        title=title,
        note=f"{note}Nothing was selected on the {unused}.",
    )
    plots.confusion_matrix(
        folder / CONFUSION_PLOT,
        matrix=np.array(metrics["confusion_matrix"]),
        class_names=dataset.class_names,
        title=title,
        note=note + shared_note,
        interval=metrics["accuracy_interval_95"],
    )
