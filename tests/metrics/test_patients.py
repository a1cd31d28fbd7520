"""Votes over a patient's slices, and an interval that counts patients, not slices."""

import numpy as np
import pytest

from tinydnn.metrics import bootstrap_interval, majority_vote, mean_vote, wilson_interval

PATIENTS = np.array(["b", "a", "b", "a", "b", "c"])
PROBABILITIES = np.array([[0.6, 0.4], [0.2, 0.8], [0.6, 0.4], [0.9, 0.1], [0.0, 1.0], [0.3, 0.7]])


def test_a_vote_by_mean_probability_and_one_by_majority_may_differ():
    # a: means 0.55, 0.45. b: means 0.4, 0.6, but two slices of three say class 0. c: one slice.
    assert mean_vote(PROBABILITIES, PATIENTS).tolist() == [0, 1, 1]
    assert majority_vote(PROBABILITIES, PATIENTS).tolist() == [0, 0, 1]


def test_where_as_many_slices_say_one_thing_as_another_the_larger_mean_wins():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6]])
    assert majority_vote(probabilities, np.array(["a", "a"])).tolist() == [0]
    assert majority_vote(probabilities[:, ::-1], np.array(["a", "a"])).tolist() == [1]


def test_the_order_of_the_slices_does_not_matter():
    order = np.random.default_rng(0).permutation(len(PATIENTS))
    for vote in (mean_vote, majority_vote):
        assert (vote(PROBABILITIES[order], PATIENTS[order]) == vote(PROBABILITIES, PATIENTS)).all()


def test_slices_that_stand_or_fall_together_make_the_interval_wider():
    # 40 patients of 25 slices; a patient's are all right or all wrong.
    patients = np.repeat([f"P{k}" for k in range(40)], 25)
    correct = np.repeat(np.arange(40) % 5 > 0, 25)
    low, high = bootstrap_interval(correct, patients)
    few, many = wilson_interval(32, 40), wilson_interval(800, 1000)
    assert low < 0.8 < high
    assert high - low == pytest.approx(few[1] - few[0], rel=0.1)
    assert high - low > 4 * (many[1] - many[0])


def test_with_a_slice_a_patient_it_is_nearly_wilsons():
    rng = np.random.default_rng(1)
    correct = rng.random(400) < 0.9
    found = bootstrap_interval(correct, np.arange(400).astype(str))
    assert found == pytest.approx(wilson_interval(int(correct.sum()), 400), abs=0.01)


def test_the_same_seed_gives_the_same_interval():
    correct, patients = np.arange(900) % 7 > 0, (np.sqrt(np.arange(900)).astype(int)).astype(str)
    assert bootstrap_interval(correct, patients) == bootstrap_interval(correct, patients)
    assert bootstrap_interval(correct, patients) != bootstrap_interval(correct, patients, seed=1)


@pytest.mark.parametrize("right", [True, False])
def test_where_all_or_none_is_right_it_is_wilsons_over_patients(right):
    correct, patients = np.full(30, right), (np.arange(30) // 3).astype(str)
    assert bootstrap_interval(correct, patients) == wilson_interval(10 * right, 10)


@pytest.mark.parametrize("vote", [mean_vote, majority_vote, bootstrap_interval])
def test_one_answer_for_each_slice_is_required(vote):
    with pytest.raises(ValueError, match="expected one for each of 2 slices, at least 1, found 1"):
        vote(np.ones((1, 2)), np.array(["a", "b"]))
    with pytest.raises(ValueError, match="at least 1"):
        vote(np.ones((0, 2)), np.array([], str))
