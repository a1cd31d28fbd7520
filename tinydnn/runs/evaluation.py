"""The metrics of an evaluation, with their uncertainty over slices or patients."""

from typing import Any

import numpy as np

from tinydnn import metrics
from tinydnn.data.dataset import Dataset
from tinydnn.training.evaluation import Evaluation

MASK_NOTE = "The slices are cropped by the tumour's mask, drawn by a doctor, at test time too."


def evaluation_report(
    evaluation: Evaluation, dataset: Dataset, indices: np.ndarray, *, new_patients: bool
) -> metrics.Report:
    """The classification report of the slices `indices`, with figures per patient, ready for JSON.

    new_patients: whether none of the patients is in training. Then, if the patient of every slice is known, the
    interval of the accuracy is a bootstrap over patients, because the slices of one patient are correlated.
    """
    matrix = metrics.confusion_matrix(evaluation.labels, evaluation.predictions, len(dataset.class_names))
    patients = dataset.patients[indices]
    report = metrics.Report(
        **metrics.classification_report(matrix, dataset.class_names),
        interval_over="slices",
        loss=None if np.isnan(evaluation.loss) else evaluation.loss,
        patients=len(set(patients.tolist()) - {""}),
        pids=None if dataset.pids is None else len(set(dataset.pids[indices].tolist()) - {""}),
        per_patient=None,
        synthetic=dataset.synthetic,
        crop=str(dataset.crop),
        mask_used_at_test=dataset.crop.uses_mask,
    )
    if (patients != "").all():
        report["per_patient"] = _per_patient(evaluation, patients)
        if new_patients:
            correct = evaluation.predictions == evaluation.labels
            report["accuracy_interval_95"] = list(metrics.bootstrap_interval(correct, patients))
            report["interval_over"] = "patients"
    return report


def _per_patient(evaluation: Evaluation, patients: np.ndarray) -> dict[str, Any]:
    """The share of patients whom a vote over their slices classifies correctly."""
    classes = evaluation.probabilities.shape[1]
    truth = metrics.mean_vote(np.eye(classes)[evaluation.labels], patients)  # all slices of a patient have one label
    votes = {"mean_vote": metrics.mean_vote, "majority_vote": metrics.majority_vote}
    correct = {name: int((vote(evaluation.probabilities, patients) == truth).sum()) for name, vote in votes.items()}
    return {
        "patients": len(truth),
        **{name: count / len(truth) for name, count in correct.items()},
        "mean_vote_interval_95": list(metrics.wilson_interval(correct["mean_vote"], len(truth))),
    }
