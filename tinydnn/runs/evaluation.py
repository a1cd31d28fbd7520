"""The figures of an evaluation: what they are, on how many slices and patients, and how sure they are."""

from typing import Any

import numpy as np

from tinydnn.data.dataset import Dataset
from tinydnn.metrics import classification_report, confusion_matrix
from tinydnn.training import Evaluation


def measure(found: Evaluation, dataset: Dataset, indices: np.ndarray) -> dict[str, Any]:
    """The report of `tinydnn.metrics` with the loss and the number of known patients, ready for JSON."""
    matrix = confusion_matrix(found.labels, found.predictions, len(dataset.class_names))
    patients = set(dataset.patients[indices].tolist()) - {""}
    return {
        **classification_report(matrix, dataset.class_names),
        "loss": found.loss,
        "patients": len(patients),
        "synthetic": dataset.synthetic,
    }
