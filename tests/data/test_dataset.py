"""Datasets in memory and in prepared files, and damaged or other files."""

import h5py
import numpy as np
import pytest

from tinydnn.data.dataset import Dataset
from tinydnn.data.prepare import prepare
from tinydnn.data.read import open_source
from tinydnn.errors import InputError

IMAGES = np.arange(5 * 16, dtype=np.uint8).reshape(5, 1, 4, 4)
LABELS = np.array([0, 1, 2, 0, 1])
PATIENTS = np.array(["a", "a", "b", "", ""])
NAMES = ("meningioma", "glioma", "pituitary")


@pytest.fixture
def path(mats, tmp_path):
    with open_source(mats) as source:
        return prepare(source, tmp_path / "a.h5", size=16)


def test_a_batch_has_the_order_of_its_indices(path):
    for dataset in (Dataset(IMAGES, LABELS, PATIENTS, NAMES), Dataset.open(path)):
        batch = dataset.read(np.array([4, 0, 3, 3]))
        assert batch.dtype == np.uint8
        assert np.array_equal(batch, np.stack([dataset.images[i] for i in (4, 0, 3, 3)]))


def test_length_size_and_patient_count():
    dataset = Dataset(IMAGES, LABELS, PATIENTS, NAMES)
    assert (len(dataset), dataset.size, dataset.patient_count) == (5, 4, 2)


def test_a_file_gives_the_same_types_as_memory(path):
    dataset = Dataset.open(path)
    assert dataset.images.dtype == np.uint8
    assert dataset.labels.dtype == np.int64
    assert dataset.folds.dtype == np.int64
    assert dataset.patients.dtype.kind == "U"
    assert dataset.masks[0].dtype == bool
    assert dataset.masks.shape == (7, 16, 16)
    assert dataset.class_names == NAMES
    assert (dataset.source, dataset.synthetic, dataset.skipped) == ("mats", False, ())


def test_pids_are_counted_apart_from_patients(path):
    pids = np.array(["a1B", "a1D", "b", "", ""])
    assert Dataset(IMAGES, LABELS, PATIENTS, NAMES, pids=pids).pid_count == 3
    assert Dataset(IMAGES, LABELS, PATIENTS, NAMES).pid_count is None
    assert Dataset.open(path).pid_count == 4
    with h5py.File(path, "r+") as file:
        del file["pid"]
    assert Dataset.open(path).pid_count is None


def test_classes_are_matched_by_name_and_may_have_no_slices():
    dataset = Dataset(IMAGES, LABELS, PATIENTS, NAMES)
    matched = dataset.with_classes(("pituitary", "none", "glioma", "meningioma"))
    assert matched.labels.tolist() == [3, 2, 0, 3, 2]
    assert matched.class_names == ("pituitary", "none", "glioma", "meningioma")
    assert matched.images is dataset.images
    two = Dataset(IMAGES, np.array([0, 1, 0, 0, 1]), PATIENTS, NAMES)  # no slice of pituitary
    assert two.with_classes(("glioma", "meningioma")).labels.tolist() == [1, 0, 1, 1, 0]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("meningioma", "glioma"), r"the classes meningioma, glioma, found 1 of class 'pituitary'$"),
        ((" Pituitary", "glioma", "meningioma"), r"'pituitary'; names must be equal, and ' Pituitary' is near$"),
    ],
)
def test_a_slice_of_an_unknown_class_is_refused(names, message):
    with pytest.raises(InputError, match=message):
        Dataset(IMAGES, LABELS, PATIENTS, NAMES).with_classes(names)


def test_fields_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="patients: expected 5 as labels, found 4"):
        Dataset(IMAGES, LABELS, PATIENTS[:4], NAMES)


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("format", "tinydnn-model", "expected a prepared dataset, found an HDF5 file of another kind"),
        ("format", None, "expected a prepared dataset, found an HDF5 file of another kind"),
        ("version", 2, "expected a dataset of version 1 or older, found 2: a newer tinydnn wrote it"),
        ("version", None, "the prepared dataset is damaged"),
        ("size", None, "the prepared dataset is damaged"),
    ],
)
def test_other_files_are_refused_by_their_attributes(path, attribute, value, message):
    with h5py.File(path, "r+") as file:
        del file.attrs[attribute]
        if value is not None:
            file.attrs[attribute] = value
    with pytest.raises(InputError, match=rf"a\.h5: {message}"):
        Dataset.open(path)


@pytest.mark.parametrize("field", ["image", "label", "patient", "file", "fold", "skipped"])
def test_a_missing_field_is_damage(path, field):
    with h5py.File(path, "r+") as file:
        del file[field]
    with pytest.raises(InputError, match="the prepared dataset is damaged"):
        Dataset.open(path)


def test_fields_of_different_lengths_in_a_file_are_damage(path):
    with h5py.File(path, "r+") as file:
        file["label"].resize(3, axis=0)
    with pytest.raises(InputError, match="the prepared dataset is damaged"):
        Dataset.open(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("image", np.zeros((7, 1, 16, 8), "u1")), ("image", np.zeros((7, 1, 16, 16))), ("label", np.full(7, 3, "u1"))],
)
def test_wrong_images_and_labels_are_damage(path, field, value):
    with h5py.File(path, "r+") as file:
        del file[field]
        file[field] = value
    with pytest.raises(InputError, match=f"the prepared dataset is damaged .{field}: "):
        Dataset.open(path)


def test_a_file_truncated_anywhere_raises_an_input_error(path):
    whole = path.read_bytes()
    for share in np.linspace(0, 0.99, 50):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError) as error:
            Dataset.open(path)
        assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="expected a prepared dataset, found no such file"):
        Dataset.open(tmp_path / "none.h5")
