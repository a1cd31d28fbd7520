"""The text files of a run."""

import numpy as np
import pytest

from tinydnn.data.dataset import Dataset
from tinydnn.errors import InputError
from tinydnn.runs.files import read_history, read_predictions, write_history, write_predictions
from tinydnn.training.evaluation import Evaluation
from tinydnn.training.protocol import Step, Validation

NAMES = ("label", "b", "a")  # a class may be named like a column


@pytest.fixture
def written(tmp_path):
    """The predictions of three slices, and their file."""
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], 3).astype(np.float32)
    evaluation = Evaluation(0.5, np.array([2, 0, 1]), probabilities)
    patients, names = np.array([f"p{n}" for n in range(9)]), [f"{n}.mat" for n in range(1, 10)]
    dataset = Dataset(np.zeros((9, 1, 4, 4), np.uint8), np.zeros(9, int), patients, NAMES, files=names)
    write_predictions(tmp_path / "p.csv", evaluation, dataset, np.array([8, 1, 3]))
    return evaluation, tmp_path / "p.csv"


def test_predictions_are_read_as_written(written):
    evaluation, path = written
    predictions = read_predictions(path, NAMES)
    assert predictions.indices.tolist() == [8, 1, 3]
    assert predictions.files == ["9.mat", "2.mat", "4.mat"]
    assert predictions.patients.tolist() == ["p8", "p1", "p3"]
    read = predictions.evaluation
    assert np.array_equal(read.labels, evaluation.labels)
    assert np.array_equal(read.probabilities.astype(np.float32), evaluation.probabilities)


def test_classes_in_another_order_are_read_by_name(written):
    evaluation, path = written
    read = read_predictions(path, ("a", "label", "b")).evaluation
    assert read.labels.tolist() == [0, 1, 2]
    assert np.array_equal(read.probabilities.astype(np.float32), evaluation.probabilities[:, [2, 0, 1]])


def test_predictions_of_other_classes_are_refused(written):
    with pytest.raises(InputError, match=r"p\.csv: expected the predictions of a run, found something else"):
        read_predictions(written[1], ("a", "b", "c"))


def test_the_history_is_read_as_written(tmp_path):
    records = [Step(1, 1, 0.1, 1.5, 0.25, 0.01), Step(1, 2, 0.05, 1 / 3, 0.5, 0.02), Validation(1, 2, 0.7, 2 / 3)]
    write_history(tmp_path / "h.csv", records)
    assert read_history(tmp_path / "h.csv") == records


@pytest.mark.parametrize("text", [None, "epoch,iteration\n1,1\n", "epoch\nx\n"])
def test_another_file_is_no_history(tmp_path, text):
    if text is not None:
        (tmp_path / "h.csv").write_text(text)
    with pytest.raises(InputError, match=r"h\.csv: expected the history of a run, found something else"):
        read_history(tmp_path / "h.csv")
