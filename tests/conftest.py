"""Fixtures for all tests. No test writes to the user's cache folder."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from tinydnn.backend import check_device
from tinydnn.data.phantoms.matlab import write_slice
from tinydnn.errors import InputError
from tinydnn.kernels.cuda import source


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory):
    """A cache folder for this test session, also in the processes that tests start."""
    before = os.environ.get("TINYDNN_CACHE")
    os.environ["TINYDNN_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["TINYDNN_CACHE"]
    else:
        os.environ["TINYDNN_CACHE"] = before


def write_learnable(folder: Path, count: int, *, side: int = 32, first: int = 1) -> Path:
    """Write `count` slices to `folder`, three of each patient; the position of a bright spot gives the class."""
    for number in range(first, first + count):
        rng = np.random.default_rng(number)
        label = (number // 3) % 3 + 1
        image = rng.integers(0, 200, (side, side))
        edge = side // 4 * label
        image[edge - side // 8 : edge + side // 8, side // 4 : side // 2] += 900
        write_slice(
            folder / f"{number}.mat",
            image=image.astype(np.int16),
            mask=image > 500,
            label=label,
            pid=f"MR{number // 3:05d}",
            border=[2, 2, 9, 9],
        )
    return folder


@pytest.fixture(scope="session")
def learnable():
    """The function `write_learnable`."""
    return write_learnable


@pytest.fixture(scope="session")
def slices(tmp_path_factory):
    """A read-only folder of 60 small slices, 20 of each class."""
    return write_learnable(tmp_path_factory.mktemp("slices"), 60)


@pytest.fixture(scope="session")
def real_gpu():
    """Skip the test without a GPU, and report what is missing."""
    try:
        check_device("cuda")
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture
def strict_cupy(monkeypatch):
    """A strict stand-in for CuPy on an emulated GPU, in place of CuPy; the module `strict_cupy` describes it."""
    if shutil.which("g++") is None:
        pytest.skip("the emulated GPU needs g++, which is not installed")
    from strict_cupy import modules

    for name, module in modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    source._compiled.cache_clear()
    yield sys.modules["cupy"]
    source._compiled.cache_clear()
