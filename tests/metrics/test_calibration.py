"""Reliability diagrams and the expected calibration error, against values by hand."""

import numpy as np
import pytest

from tinydnn.metrics import calibration


def two_classes(confidences):
    """Predictions of class 0 with these confidences."""
    return np.stack([confidences, 1 - np.array(confidences)], axis=1)


def test_the_error_is_the_mean_gap_between_confidence_and_accuracy():
    # Bin (0.5, 0.75]: confidence 0.65, 1 of 2 right. Bin (0.75, 1]: confidence 0.9, 3 of 3 right.
    found = calibration(two_classes([0.6, 0.7, 0.8, 0.9, 1.0]), np.array([0, 1, 0, 0, 0]), bins=4)
    assert found.counts.tolist() == [0, 0, 2, 3]
    assert found.confidence[2:] == pytest.approx([0.65, 0.9])
    assert found.accuracy[2:] == pytest.approx([0.5, 1.0])
    assert np.isnan(found.accuracy[:2]).all()
    assert found.error == pytest.approx(2 / 5 * 0.15 + 3 / 5 * 0.1)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below_it():
    found = calibration(two_classes([0.5, 0.75, 1.0]), np.array([0, 0, 0]), bins=4)
    assert found.counts.tolist() == [0, 1, 1, 1]


def test_confidence_equal_to_accuracy_has_no_error():
    labels = np.array([0, 0, 0, 1])
    assert calibration(two_classes([0.75] * 4), labels).error == pytest.approx(0)
    assert calibration(two_classes([1.0] * 4), labels).error == pytest.approx(0.25)


def test_gaps_of_opposite_sign_in_different_bins_do_not_cancel():
    found = calibration(two_classes([0.6, 0.6, 0.9, 0.9]), np.array([0, 0, 0, 1]))
    assert found.error == pytest.approx(0.4)


def test_a_probability_rounded_above_one_is_in_the_last_bin():
    assert calibration(np.array([[1.0000001, 0.0]]), np.array([0])).counts[-1] == 1


def test_a_label_for_each_slice_is_required():
    with pytest.raises(ValueError, match="expected one for each of 2 slices, at least 1, found 1"):
        calibration(np.ones((2, 2)), np.array([0]))
