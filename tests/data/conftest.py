"""Slices for the tests of the data, written as genuine files of the published layout."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from tinydnn.data.phantoms.matlab import write_folds, write_slice
from tinydnn.data.prepare.convert import prepare
from tinydnn.data.read.sources import open_source


def picture(number: int, side: int = 16) -> np.ndarray:
    """A picture that no other number gives, over a range that overflows int16 when it is multiplied by 255."""
    return np.random.default_rng(number).integers(-500, 3000, (side, side)).astype(np.int16)


def write_published(folder: Path, numbers, *, folds: bool = True, side: int = 16) -> Path:
    """Slices `numbers` and cvind.mat in `folder`: classes in turn, two slices a patient."""
    for number in numbers:
        write_slice(
            folder / f"{number}.mat",
            image=picture(number, side),
            mask=picture(number, side) > 2000,
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
    """A folder of seven slices, two of them numbered beyond nine, with cvind.mat."""
    return write_published(tmp_path / "mats", [1, 2, 3, 4, 5, 10, 11])


@pytest.fixture
def prepare_folder():
    """A function that prepares the slices of a folder into a file."""

    def prepare_folder(folder, out, **options):
        with open_source(folder) as source:
            return prepare(source, out, **options)

    return prepare_folder


@pytest.fixture
def contents():
    """A function that gives all datasets of a prepared file, by name."""

    def contents(path):
        with h5py.File(path) as file:
            return {name: file[name][()].tolist() for name in file}

    return contents
