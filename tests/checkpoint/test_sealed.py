"""Sealed files: damage, alterations and foreign files are refused in one line that names the path."""

import h5py
import numpy as np
import pytest

from tinydnn.checkpoint import load_model
from tinydnn.errors import InputError


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(path, share, refused):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    refused(path, "expected an intact tinydnn model")


def test_a_flipped_bit_is_detected_or_changes_nothing(path):
    intact, data = load_model(path), path.read_bytes()
    rng, detected = np.random.default_rng(0), 0
    for _ in range(100):
        broken = bytearray(data)
        broken[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        try:
            loaded = load_model(path)
        except InputError:
            detected += 1
        else:
            assert (loaded.normalise, loaded.class_names) == (intact.normalise, intact.class_names)
            for key, array in intact.model.state().items():
                assert np.array_equal(loaded.model.state()[key], array)
    assert 15 < detected < 100  # most of the small file is unused space between its objects


def test_a_flipped_bit_of_a_weight_is_detected(path, refused):
    with h5py.File(path) as file:
        offset = file["layers/00-conv2d/weight"].id.get_offset()
    data = bytearray(path.read_bytes())
    data[offset + 5] ^= 1
    path.write_bytes(data)
    refused(path, "do not match their digest, so it was altered or damaged")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: file.attrs.__setitem__("class_names", '["a", "b", "d"]'), "digest"),
        (lambda file: file["layers/00-conv2d"].attrs.__setitem__("kind", "Linear"), "digest"),
        (lambda file: file["layers/00-conv2d/weight"].__setitem__(0, 0), "digest"),
        (lambda file: file.__delitem__("layers/01-batchnorm2d/running_var"), "digest"),
        (lambda file: file.create_dataset("layers/00-conv2d/more", data=[1.0]), "digest"),
        (lambda file: file.create_dataset("training_patients", data=np.array([b"0123456789abcdef"])), "digest"),
        (lambda file: file.attrs.__delitem__("digest"), "digest"),
        (lambda file: file.attrs.__delitem__("version"), "version"),
        (lambda file: file.attrs.__setitem__("version", 2), "version 2, which needs a newer tinydnn"),
        (lambda file: file.attrs.__setitem__("version", "new"), "invalid literal"),
        (lambda file: file.attrs.__setitem__("format", "other"), "an HDF5 file of another kind"),
    ],
)
def test_an_altered_file_is_refused(path, change, words, refused):
    with h5py.File(path, "r+") as file:
        change(file)
    refused(path, words)


def test_files_of_another_kind_are_refused(tmp_path, refused):
    (tmp_path / "text.h5").write_text("hello")
    refused(tmp_path / "text.h5", "expected a tinydnn model, found another kind of file")
    (tmp_path / "empty.h5").write_text("")
    refused(tmp_path / "empty.h5", "expected a tinydnn model, found another kind of file")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["weight"] = np.zeros(3)
    refused(tmp_path / "other.h5", "expected a tinydnn model, found an HDF5 file of another kind")
    refused(tmp_path / "none.h5", "found no such file")
    refused(tmp_path, "found a folder")
