"""The report of a finished run: its protocol and its plots."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tinydnn import plots
from tinydnn.runs.evaluation import MASK_NOTE
from tinydnn.runs.files import CONFUSION_PLOT, PROGRESS_PLOT, versions
from tinydnn.training.trainer import Validation

if TYPE_CHECKING:
    from tinydnn.runs.run import Run


def describe_run(run: "Run") -> dict[str, Any]:
    """The protocol behind the metrics of a run, its length and its versions, ready for JSON."""
    options, split = run.options, run.split
    train_patients, test_patients = (
        len(set(run.dataset.patients[indices].tolist()) - {""}) for indices in (split.train, split.test)
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
            "test_slices_with_patient_in_training": run.shared,
            "share_with_patient_in_training": None if run.shared is None else run.shared / len(split.test),
        },
        "iterations": run.trainer.iteration,
        "training_seconds": round(sum(step.seconds for step in run.steps), 3),
        "versions": versions(),
    }


def plot_run(run: "Run", metrics: dict[str, Any]) -> None:
    """Plot the training progress and the confusion matrix of a run into its folder."""
    options, split, trainer = run.options, run.split, run.trainer
    validations = [record for record in trainer.records if isinstance(record, Validation)]
    name = f"recipe {options.recipe}" if options.recipe else options.model
    title = f"{name}, {len(split.train)} slices to train, {len(split.test)} held out"
    note = f"Split by {options.split}. " + ("Synthetic phantoms. " if run.dataset.synthetic else "")
    if run.dataset.crop.uses_mask:
        note += f"{MASK_NOTE} "
    unused = "test slices: the curve shows the validation set" if options.validation else "held-out slices"
    plots.training_progress(
        run.folder / PROGRESS_PLOT,
        iterations=[step.iteration for step in run.steps],
        loss=[step.loss for step in run.steps],
        accuracy=[step.accuracy for step in run.steps],
        validation_iterations=[validation.iteration for validation in validations],
        validation_loss=[validation.loss for validation in validations],
        validation_accuracy=[validation.accuracy for validation in validations],
        iterations_per_epoch=trainer.iterations_per_epoch,
        title=title,
        note=f"{note}Nothing was selected by the {unused}.",
    )
    plots.confusion_matrix(
        run.folder / CONFUSION_PLOT,
        matrix=np.array(metrics["confusion_matrix"]),
        class_names=run.dataset.class_names,
        title=title,
        note=note + run.shared_note(),
        interval=metrics["accuracy_interval_95"],
    )
