"""Folds: every slice is held out once, classes are spread evenly, patients are never on both sides."""

from dataclasses import replace

import numpy as np
import pytest

from tinydnn.data.dataset import Dataset
from tinydnn.data.split.folds import fold_numbers, fold_split
from tinydnn.errors import InputError


def dataset(patients=60, seed=0):
    """Patients of 1 to 30 slices; a third of them of each class, more or less."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 31, patients)
    labels = np.repeat(rng.permutation(np.arange(patients) % 3), sizes)
    names = np.repeat([f"P{k}" for k in range(patients)], sizes)
    order = rng.permutation(len(labels))
    return Dataset(np.zeros((len(labels), 1, 2, 2), np.uint8), labels[order], names[order], ("a", "b", "c"))


@pytest.mark.parametrize("by", ["slice", "patient"])
@pytest.mark.parametrize("folds", [2, 5, 10])
def test_every_slice_is_held_out_once_and_the_folds_are_alike(by, folds):
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


def test_by_patient_nobody_is_on_both_sides_and_by_slice_nearly_everybody():
    data = dataset()
    for by, shared in (("patient", 0), ("slice", 0.9)):
        parts = fold_split(fold_numbers(data, by=by, folds=5), 1)
        share = np.isin(data.patients[parts.test], data.patients[parts.train]).mean()
        assert share == 0 if not shared else share > shared


def test_a_seed_gives_the_same_folds_and_another_gives_others():
    for by in ("slice", "patient"):
        first = fold_numbers(dataset(), by=by, folds=5)
        assert (fold_numbers(dataset(), by=by, folds=5) == first).all()
        assert (fold_numbers(dataset(), by=by, folds=5, seed=1) != first).any()


def test_the_published_folds_are_taken_as_they_are():
    data = dataset()
    published = np.arange(len(data)) % 5 + 1
    assert (fold_numbers(replace(data, folds=published), by="official", folds=5) == published).all()
    with pytest.raises(InputError, match="--folds: expected 5, as many as are published, found 10"):
        fold_numbers(replace(data, folds=published), by="official", folds=10)
    published[3] = 0
    for folds, missing in ((published, 1), (None, len(data))):
        with pytest.raises(InputError, match=rf"published fold \(cvind.mat\) of every slice, found {missing} slices"):
            fold_numbers(replace(data, folds=folds), by="official", folds=5)


def test_what_cannot_be_folded_is_explained():
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
