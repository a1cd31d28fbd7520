"""The figures of an evaluation: what they are, on how many slices and patients, and how sure they are."""

from typing import Any

import numpy as np

from tinydnn.data.dataset import Dataset
from tinydnn.metrics import (
    bootstrap_interval,
    classification_report,
    confusion_matrix,
    majority_vote,
    mean_vote,
    wilson_interval,
)
from tinydnn.training.evaluation import Evaluation

MASK_NOTE = "The slices are cropped by the tumour's mask, a doctor's drawing, at test time too."


def measure(found: Evaluation, dataset: Dataset, indices: np.ndarray, *, by_patient: bool) -> dict[str, Any]:
    """The report of `tinydnn.metrics` with what is known of the patients, ready for JSON.

    by_patient: whether none of the patients is in training too. Then, if every slice's patient is known, the interval
    of the accuracy is a bootstrap over patients: the slices of one patient stand or fall together.
    """
    matrix = confusion_matrix(found.labels, found.predictions, len(dataset.class_names))
    patients = dataset.patients[indices]
    report = {
        **classification_report(matrix, dataset.class_names),
        "interval_over": "slices",
        "loss": None if np.isnan(found.loss) else found.loss,
        "patients": len(set(patients.tolist()) - {""}),
        "per_patient": None,
        "synthetic": dataset.synthetic,
        "crop": str(dataset.crop),
        "mask_used_at_test": dataset.crop.uses_mask,
    }
    if (patients != "").all():
        report["per_patient"] = _per_patient(found, patients)
        if by_patient:
            right = found.predictions == found.labels
            report["accuracy_interval_95"] = list(bootstrap_interval(right, patients))
            report["interval_over"] = "patients"
    return report


def _per_patient(found: Evaluation, patients: np.ndarray) -> dict[str, Any]:
    """How many patients a vote over their slices classifies correctly."""
    classes = found.probabilities.shape[1]
    truth = mean_vote(np.eye(classes)[found.labels], patients)  # all slices of a patient have the same label
    votes = {"mean_vote": mean_vote, "majority_vote": majority_vote}
    right = {name: int((vote(found.probabilities, patients) == truth).sum()) for name, vote in votes.items()}
    return {
        "patients": len(truth),
        **{name: count / len(truth) for name, count in right.items()},
        "mean_vote_interval_95": list(wilson_interval(right["mean_vote"], len(truth))),
    }
