"""Every kernel test runs on an emulated GPU, and on a real one if there is one."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tinydnn.backend import emulated


@dataclass(frozen=True)
class Device:
    """The device of a test: `put` copies an array to it, `get` copies one back."""

    name: str
    put: Callable[[np.ndarray], Any]
    get: Callable[[Any], np.ndarray]


@pytest.fixture(params=["emulated", pytest.param("gpu", marks=pytest.mark.gpu)])
def device(request):
    """An emulated GPU, then a real one."""
    if request.param == "gpu":
        request.getfixturevalue("real_gpu")
        import cupy

        yield Device("gpu", cupy.asarray, cupy.asnumpy)
    else:
        if shutil.which("g++") is None:
            pytest.skip("the emulated GPU needs g++, which is not installed")
        with emulated():
            yield Device("emulated", np.asarray, np.asarray)


@pytest.fixture(params=["strict_cupy", pytest.param("real_gpu", marks=pytest.mark.gpu)])
def cupy(request):
    """The module `cupy`: a strict stand-in on an emulated GPU, then CuPy itself on a real one."""
    request.getfixturevalue(request.param)
    import cupy

    return cupy
