"""Folds: every slice is held out once, classes are balanced, and patients can be kept together."""

from dataclasses import replace

import numpy as np
import pytest

from tinydnn.data.dataset import Dataset
from tinydnn.data.split import fold_numbers, fold_split
from tinydnn.errors import InputError


def dataset(patients=60, seed=0):
    """A dataset of patients with 1 to 30 slices, about a third of the patients in each class."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 31, patients)
    labels = np.repeat(rng.permutation(np.arange(patients) % 3), sizes)
    names = np.repeat([f"P{k}" for k in range(patients)], sizes)
    order = rng.permutation(len(labels))
    return Dataset(np.zeros((len(labels), 1, 2, 2), np.uint8), labels[order], names[order], ("a", "b", "c"))


@pytest.mark.parametrize("by", ["slice", "patient"])
@pytest.mark.parametrize("folds", [2, 5, 10])
def test_every_slice_is_held_out_once_and_folds_are_balanced(by, folds):
    data = dataset()
    numbers = fold_numbers(data, by=by, folds=folds)
    assert set(numbers) == set(range(1, folds + 1))
    table = np.array([[(data.labels[numbers == k] == c).sum() for c in range(3)] for k in range(1, folds + 1)])
    most = 1 if by == "slice" else 30  # slices of a patient
    assert (np.ptp(table, axis=0) <= most).all()
    assert np.ptp(table.sum(axis=1)) <= (1 if by == "slice" else 30)
    for fold in range(1, folds + 1):
        parts = fold_split(numbers, fold)
        assert sorted([*parts.train, *parts.test]) == list(range(len(data)))
        assert set(numbers[parts.test]) == {fold}


def test_only_folds_by_slice_share_patients():
    data = dataset()
    for by, shared in (("patient", 0), ("slice", 0.9)):
        parts = fold_split(fold_numbers(data, by=by, folds=5), 1)
        share = np.isin(data.patients[parts.test], data.patients[parts.train]).mean()
        assert share == 0 if not shared else share > shared


def test_the_seed_determines_the_folds():
    for by in ("slice", "patient"):
        first = fold_numbers(dataset(), by=by, folds=5)
        assert (fold_numbers(dataset(), by=by, folds=5) == first).all()
        assert (fold_numbers(dataset(), by=by, folds=5, seed=1) != first).any()


def test_official_folds_are_the_published_ones():
    data = dataset()
    published = np.arange(len(data)) % 5 + 1
    assert (fold_numbers(replace(data, folds=published), by="official", folds=5) == published).all()
    with pytest.raises(InputError, match="--folds: expected 5, the number of published folds, found 10"):
        fold_numbers(replace(data, folds=published), by="official", folds=10)
    published[3] = 0
    for folds, missing in ((published, 1), (None, len(data))):
        with pytest.raises(InputError, match=rf"published fold \(cvind.mat\) of every slice, found {missing} slices"):
            fold_numbers(replace(data, folds=folds), by="official", folds=5)


def test_impossible_folds_are_refused():
    data = dataset(patients=9)
    with pytest.raises(InputError, match="--by: expected one of slice, patient, official, found 'scanner'"):
        fold_numbers(data, by="scanner", folds=5)
    with pytest.raises(InputError, match=r"--folds: expected 2 to .* found 1"):
        fold_numbers(data, by="slice", folds=1)
    with pytest.raises(InputError, match="--folds: expected at most 3, the patients of class a, found 5"):
        fold_numbers(data, by="patient", folds=5)
    patients = data.patients.copy()
    patients[:4] = ""
    with pytest.raises(InputError, match="--by patient: expected the patient of every slice, found 4 slices without"):
        fold_numbers(replace(data, patients=patients), by="patient", folds=2)
