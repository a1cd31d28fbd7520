"""Votes over the slices of each patient, and the bootstrap interval over patients."""

import numpy as np
import pytest

from tinydnn.metrics import bootstrap_interval, difference_interval, majority_vote, mean_vote, wilson_interval

PATIENTS = np.array(["b", "a", "b", "a", "b", "c"])
PROBABILITIES = np.array([[0.6, 0.4], [0.2, 0.8], [0.6, 0.4], [0.9, 0.1], [0.0, 1.0], [0.3, 0.7]])


def test_mean_vote_and_majority_vote_may_differ():
    # a: means 0.55, 0.45. b: means 0.4, 0.6, but class 0 is predicted for two of three slices. c: one slice.
    assert mean_vote(PROBABILITIES, PATIENTS).tolist() == [0, 1, 1]
    assert majority_vote(PROBABILITIES, PATIENTS).tolist() == [0, 0, 1]


def test_majority_vote_breaks_ties_by_the_mean():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6]])
    assert majority_vote(probabilities, np.array(["a", "a"])).tolist() == [0]
    assert majority_vote(probabilities[:, ::-1], np.array(["a", "a"])).tolist() == [1]


def test_votes_do_not_depend_on_the_order_of_slices():
    order = np.random.default_rng(0).permutation(len(PATIENTS))
    for vote in (mean_vote, majority_vote):
        assert (vote(PROBABILITIES[order], PATIENTS[order]) == vote(PROBABILITIES, PATIENTS)).all()


def test_correlated_slices_widen_the_interval():
    # 40 patients of 25 slices; those of a patient are all correct or all wrong.
    patients = np.repeat([f"P{k}" for k in range(40)], 25)
    correct = np.repeat(np.arange(40) % 5 > 0, 25)
    low, high = bootstrap_interval(correct, patients)
    few, many = wilson_interval(32, 40), wilson_interval(800, 1000)
    assert low < 0.8 < high
    assert high - low == pytest.approx(few[1] - few[0], rel=0.1)
    assert high - low > 4 * (many[1] - many[0])


def test_with_one_slice_a_patient_the_interval_is_close_to_wilsons():
    rng = np.random.default_rng(1)
    correct = rng.random(400) < 0.9
    interval = bootstrap_interval(correct, np.arange(400).astype(str))
    assert interval == pytest.approx(wilson_interval(int(correct.sum()), 400), abs=0.01)


def test_the_same_seed_gives_the_same_interval():
    correct, patients = np.arange(900) % 7 > 0, (np.sqrt(np.arange(900)).astype(int)).astype(str)
    assert bootstrap_interval(correct, patients) == bootstrap_interval(correct, patients)
    assert bootstrap_interval(correct, patients) != bootstrap_interval(correct, patients, seed=1)


@pytest.mark.parametrize("all_correct", [True, False])
def test_all_or_none_correct_gives_wilsons_interval_over_patients(all_correct):
    correct, patients = np.full(30, all_correct), (np.arange(30) // 3).astype(str)
    assert bootstrap_interval(correct, patients) == wilson_interval(10 * all_correct, 10)


def test_the_interval_of_a_score_is_that_of_its_mean():
    patients = np.repeat([f"P{k}" for k in range(40)], 5)
    correct = np.arange(200) % 7 > 0
    low, high = bootstrap_interval(correct, patients)
    # a mean is linear: 3·a − 1 has the interval of a, scaled and shifted
    assert bootstrap_interval(3 * correct - 1.0, patients) == pytest.approx((3 * low - 1, 3 * high - 1))
    scores = np.random.default_rng(0).normal(5, 2, 200)
    low, high = bootstrap_interval(scores, patients)
    assert low < scores.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * 2 / 200**0.5, rel=0.3)  # independent slices: that of a normal mean


def test_the_interval_of_a_difference_is_the_bootstrap_whatever_the_values():
    rng = np.random.default_rng(0)
    differences, patients = rng.integers(-1, 2, 300), np.arange(300) // 5
    assert difference_interval(differences, patients) == bootstrap_interval(differences, patients)
    assert difference_interval(np.zeros(300), patients) == (0, 0)
    assert difference_interval(np.ones(300), patients) == (1, 1)


@pytest.mark.parametrize("metric", [mean_vote, majority_vote, bootstrap_interval, difference_interval])
def test_a_patient_for_each_slice_is_required(metric):
    with pytest.raises(ValueError, match="expected one for each of 2 slices, at least 1, found 1"):
        metric(np.ones((1, 2)), np.array(["a", "b"]))
    with pytest.raises(ValueError, match="at least 1"):
        metric(np.ones((0, 2)), np.array([], str))
