"""Slices written as `.mat` files of the published layout, and prepared files."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from tinydnn.data.phantoms.matlab import write_folds, write_slice
from tinydnn.data.prepare import prepare
from tinydnn.data.read import open_source


def pixels(number: int, side: int = 16) -> np.ndarray:
    """An image (side, side) that is unique to `number`; its values times 255 overflow int16."""
    return np.random.default_rng(number).integers(-500, 3000, (side, side)).astype(np.int16)


def write_published(folder: Path, numbers, *, folds: bool = True, side: int = 16) -> Path:
    """Write slices `numbers` and cvind.mat to `folder`: classes in rotation, two slices per patient."""
    for number in numbers:
        write_slice(
            folder / f"{number}.mat",
            image=pixels(number, side),
            mask=pixels(number, side) > 2000,
            label=number % 3 + 1,
            pid=f"MR{number // 2:05d}",
            border=[1, 1, 2, 2],
        )
    if folds:
        write_folds(folder / "cvind.mat", [number % 5 + 1 for number in range(100)])
    return folder


@pytest.fixture
def published():
    """The function `write_published`."""
    return write_published


@pytest.fixture
def mats(tmp_path):
    """A folder of seven slices, two with numbers of two digits, and cvind.mat."""
    return write_published(tmp_path / "mats", [1, 2, 3, 4, 5, 10, 11])


@pytest.fixture
def prepare_folder():
    """A function that prepares the slices of a folder."""

    def prepare_folder(folder, out, **options):
        with open_source(folder) as source:
            return prepare(source, out, **options)

    return prepare_folder


@pytest.fixture
def contents():
    """A function that returns all HDF5 datasets of a prepared file, by name."""

    def contents(path):
        with h5py.File(path) as file:
            return {name: file[name][()].tolist() for name in file}

    return contents
