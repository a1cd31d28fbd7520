"""What every test may rely on: nothing it prepares lands in the user's own cache folder."""

import os
from pathlib import Path

import numpy as np
import pytest

from tinydnn.backend import check_device
from tinydnn.data.phantoms.matlab import write_slice
from tinydnn.errors import InputError


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory):
    """A cache folder that lasts for the tests; programs that a test starts see it too."""
    before = os.environ.get("TINYDNN_CACHE")
    os.environ["TINYDNN_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["TINYDNN_CACHE"]
    else:
        os.environ["TINYDNN_CACHE"] = before


def write_learnable(folder: Path, count: int, *, side: int = 32, first: int = 1) -> Path:
    """Slices `first`, `first` + 1, … in `folder`: the class is where the bright spot is; three slices a patient."""
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
    """A folder of 60 small slices, twenty of each class, which nobody writes to."""
    return write_learnable(tmp_path_factory.mktemp("slices"), 60)


@pytest.fixture(scope="session")
def real_gpu():
    """Skips, and says what is missing, where there is no GPU."""
    try:
        check_device("cuda")
    except InputError as error:
        pytest.skip(str(error))
