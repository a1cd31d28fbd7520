"""The record of training patients: hashed, optional, and compared with the patients of a dataset."""

import h5py
import numpy as np
import pytest

from tinydnn.checkpoint import load_model, save_model
from tinydnn.checkpoint.patients import hash_patient, hash_patients, training_overlap


def test_a_hash_is_fixed_by_the_format_and_has_sixteen_digits():
    assert hash_patient("MR017260F") == "7112f25e7a8e8f49"


def test_the_hashes_of_several_slices_are_those_of_their_patients():
    assert hash_patients(["a", "b", "a"]) == {hash_patient("a"), hash_patient("b")}


def test_with_an_unknown_patient_there_is_no_record():
    assert hash_patients(["a", ""]) is None


@pytest.mark.parametrize("patients", [["MR017260F", "ü", "a"], [str(number) for number in range(5000)]])
def test_training_patients_are_read_back_and_their_ids_are_not_written(patients, small_model, saved, tmp_path):
    path = tmp_path / "model.h5"
    save_model(path, saved(small_model(), training_patients=hash_patients(patients)))
    assert load_model(path).training_patients == hash_patients(patients)
    assert patients[0] != "MR017260F" or b"MR017260F" not in path.read_bytes()


def test_a_file_without_the_record_is_read_as_unknown(path):
    with h5py.File(path) as file:
        assert "training_patients" not in file
    assert load_model(path).training_patients is None


@pytest.mark.parametrize(
    "record",
    [
        np.array([b"0123456789abcde"]),
        np.array([b"0123456789abcdeX"]),
        np.array([b"0123456789abcdef\n"]),
        np.array([[b"0123456789abcdef"]]),
        np.arange(3),
    ],
)
def test_a_record_of_something_else_is_refused(record, path, resealed, refused):
    resealed(path, lambda file: file.create_dataset("training_patients", data=record))
    refused(path, "expected an intact tinydnn model, found one that cannot be used")


@pytest.mark.parametrize(
    ("hashes", "patients", "expected"),
    [
        (hash_patients("abc"), ["c", "d", "c", "a", "e"], {"patients": 2, "slices": 3}),
        (hash_patients("abc"), ["d", "e"], {"patients": 0, "slices": 0}),
        (hash_patients("abc"), ["a", ""], None),
        (None, ["a"], None),
    ],
)
def test_the_overlap_counts_shared_patients_and_their_slices(hashes, patients, expected):
    assert training_overlap(hashes, np.array(patients)) == expected
