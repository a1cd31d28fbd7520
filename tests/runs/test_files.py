"""The text files of a run."""

import numpy as np
import pytest

from tinydnn.data.dataset import Dataset
from tinydnn.errors import InputError
from tinydnn.runs.files import read_predictions, write_predictions
from tinydnn.training.evaluation import Evaluation

NAMES = ("label", "b", "a")  # a class may be named like a column


@pytest.fixture
def written(tmp_path):
    """The predictions of three slices, and their file."""
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], 3).astype(np.float32)
    evaluation = Evaluation(0.5, np.array([2, 0, 1]), probabilities)
    dataset = Dataset(np.zeros((9, 1, 4, 4), np.uint8), np.zeros(9, int), np.array(["p"] * 9), NAMES)
    write_predictions(tmp_path / "p.csv", evaluation, dataset, np.array([8, 1, 3]))
    return evaluation, tmp_path / "p.csv"


def test_predictions_are_read_as_written(written):
    evaluation, path = written
    indices, read = read_predictions(path, NAMES)
    assert indices.tolist() == [8, 1, 3]
    assert np.array_equal(read.labels, evaluation.labels)
    assert np.array_equal(read.probabilities.astype(np.float32), evaluation.probabilities)


def test_classes_in_another_order_are_read_by_name(written):
    evaluation, path = written
    _, read = read_predictions(path, ("a", "label", "b"))
    assert read.labels.tolist() == [0, 1, 2]
    assert np.array_equal(read.probabilities.astype(np.float32), evaluation.probabilities[:, [2, 0, 1]])


def test_predictions_of_other_classes_are_refused(written):
    with pytest.raises(InputError, match=r"p\.csv: expected the predictions of a run, found something else"):
        read_predictions(written[1], ("a", "b", "c"))
