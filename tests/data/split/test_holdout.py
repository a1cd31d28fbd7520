"""Properties of every split: disjoint sets, shares, classes, families."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinydnn.data.split import shared_patients, split
from tinydnn.data.split.holdout import largest_remainder
from tinydnn.errors import InputError

PUBLISHED = np.repeat([0, 1, 2], [708, 1426, 930])
UNKNOWN = np.full(3064, "")


@st.composite
def labels_and_patients(draw):
    """Labels and families of 1 to 12 slices, at least three families in each of two or three classes."""
    labels, patients = [], []
    for label in range(draw(st.integers(2, 3))):
        for count in draw(st.lists(st.integers(1, 12), min_size=3, max_size=12)):
            patients += [f"patient {len(patients)}"] * count
            labels += [label] * count
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(len(labels))
    return np.array(labels)[order], np.array(patients)[order]


def test_the_published_dataset_splits_as_in_the_paper():
    parts = split(PUBLISHED, UNKNOWN)
    assert (len(parts.train), len(parts.test)) == (2451, 613)
    assert np.bincount(PUBLISHED[parts.test]).tolist() == [142, 285, 186]


@given(data=labels_and_patients(), by=st.sampled_from(["slice", "patient"]), seed=st.integers(0, 2**32))
def test_the_sets_are_disjoint_and_complete_with_every_class(data, by, seed):
    labels, patients = data
    parts = split(labels, patients, by=by, test_fraction=0.4, seed=seed)
    assert np.array_equal(np.sort(np.concatenate([parts.train, parts.test])), np.arange(len(labels)))
    assert np.all(np.diff(parts.train) > 0)
    assert np.all(np.diff(parts.test) > 0)
    assert set(labels[parts.train]) == set(labels[parts.test]) == set(labels)


@given(data=labels_and_patients(), fraction=st.floats(0.05, 0.95), seed=st.integers(0, 99))
def test_a_split_by_patient_shares_no_family(data, fraction, seed):
    labels, patients = data
    try:
        parts = split(labels, patients, by="patient", test_fraction=fraction, seed=seed)
    except InputError:
        return  # the share is too small for a class
    assert not set(patients[parts.train]) & set(patients[parts.test])
    assert shared_patients(patients, parts.train, parts.test) == 0


@given(data=labels_and_patients(), seed=st.integers(0, 99))
def test_a_split_by_patient_is_as_close_to_the_quota_as_possible(data, seed):
    labels, patients = data
    parts = split(labels, patients, by="patient", test_fraction=0.4, seed=seed)
    quotas = largest_remainder(np.bincount(labels), 0.4)
    for label, quota in enumerate(quotas):
        _, sizes = np.unique(patients[labels == label], return_counts=True)
        sums = {0}
        for size in sizes.tolist():
            sums |= {size + s for s in sums}
        nearest = min(abs(s - quota) for s in sums - {0, sizes.sum()})
        assert abs(np.count_nonzero(labels[parts.test] == label) - quota) == nearest


@given(counts=st.lists(st.integers(0, 2000), min_size=1, max_size=6).map(np.array), fraction=st.floats(0.01, 0.99))
def test_largest_remainders_sum_to_the_rounded_share(counts, fraction):
    shares = largest_remainder(counts, fraction)
    assert shares.sum() == np.floor(counts.sum() * fraction + 0.5)
    assert np.all(np.abs(shares - counts * fraction) < 1)


def test_the_seed_determines_the_split():
    first, again, other = (split(PUBLISHED, UNKNOWN, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)


def test_every_slice_is_held_out_equally_often():
    """Over 200 seeds, each of 50 slices is held out about 40 times."""
    labels = np.repeat([0, 1], 25)
    held_out = np.zeros(50)
    for seed in range(200):
        held_out[split(labels, np.full(50, ""), seed=seed).test] += 1
    assert held_out.min() > 15
    assert held_out.max() < 75


def test_test_slices_of_training_patients_are_counted():
    patients = np.array(["a", "a", "b", "b", "", ""])
    parts = split(np.array([0, 0, 0, 1, 1, 1]), patients, test_fraction=0.34)
    expected = sum(p != "" and p in patients[parts.train] for p in patients[parts.test])
    assert shared_patients(patients, parts.train, parts.test) == expected


def test_a_split_by_patient_needs_known_patients():
    patients = np.array(["a", "", "b", ""])
    with pytest.raises(InputError, match="found 2 slices without; split by slice instead"):
        split(np.array([0, 0, 1, 1]), patients, by="patient")


@pytest.mark.parametrize("fraction", [0, 1, -0.2, 1.5, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(InputError, match="test fraction: expected a number between 0 and 1"):
        split(PUBLISHED, UNKNOWN, test_fraction=fraction)


@pytest.mark.parametrize(("fraction", "side"), [(0.001, "test"), (0.999, "training")])
def test_a_fraction_that_empties_a_class_is_refused(fraction, side):
    with pytest.raises(InputError, match=f"found none of class 1 left for {side}"):
        split(np.repeat([0, 1], 50), np.full(100, ""), test_fraction=fraction)


def test_a_class_of_one_patient_cannot_be_split_by_patient():
    labels, patients = np.repeat([0, 1], 4), np.array(list("aaaabbcc"))
    with pytest.raises(InputError, match=r"class 1 left for test \(4 slices, 1 to choose from\)"):
        split(labels, patients, by="patient", test_fraction=0.5)


def test_no_slices_cannot_be_split():
    with pytest.raises(InputError, match="found none"):
        split(np.zeros(0, np.int64), np.zeros(0, str))


def test_other_kinds_of_split_are_refused():
    with pytest.raises(InputError, match="expected slice or patient, found index"):
        split(PUBLISHED, UNKNOWN, by="index")
