"""A small model and its file, and functions that alter files and check refusals."""

import h5py
import numpy as np
import pytest

from tinydnn.checkpoint import SavedModel, load_model, save_model
from tinydnn.checkpoint.sealed import _digest
from tinydnn.data.normalise import Normalisation
from tinydnn.errors import InputError
from tinydnn.layers import BatchNorm2d, Conv2d, Dropout, GlobalAvgPool2d, Linear, MaxPool2d, ReLU, Sequential

NORMALISE = Normalisation("standard", 0.1 + 0.2, 1 / 3)


def make_small_model(classes=3):
    """The first block and the head of `batchnorm_cnn`."""
    draw = np.random.default_rng(0)
    return Sequential(
        Conv2d(1, 16, 3, padding=1, rng=draw), BatchNorm2d(16), ReLU(), MaxPool2d(2), GlobalAvgPool2d(),
        Dropout(0.5, rng=draw), Linear(16, classes, rng=draw), input_shape=(1, 16, 16),
    )  # fmt: skip


def make_saved(model, class_names=("meningioma", "glioma", "pituitary"), **fields):
    return SavedModel(model, NORMALISE, class_names, **fields)


def assert_refused(path, words, load=load_model):
    """Loading raises `InputError` with one line that begins with the path and contains `words`."""
    with pytest.raises(InputError) as error:
        load(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert words in message


def change_and_reseal(path, change):
    """Change the contents of a file and give it a matching digest, as an attacker could."""
    with h5py.File(path, "r+") as file:
        change(file)
        file.attrs["digest"] = _digest(file)


@pytest.fixture
def small_model():
    """The function `make_small_model`."""
    return make_small_model


@pytest.fixture
def saved():
    """The function `make_saved`."""
    return make_saved


@pytest.fixture
def refused():
    """The function `assert_refused`."""
    return assert_refused


@pytest.fixture
def resealed():
    """The function `change_and_reseal`."""
    return change_and_reseal


@pytest.fixture
def path(tmp_path):
    """The file of an intact model."""
    save_model(tmp_path / "model.h5", make_saved(make_small_model()))
    return tmp_path / "model.h5"
