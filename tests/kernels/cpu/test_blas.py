"""Which BLAS is named, and of which core type."""

import numpy as np

from tinydnn.kernels.cpu import blas
from tinydnn.kernels.cpu.blas import RAISED_FROM, loaded_blas


def named():
    found = loaded_blas()
    return found.name, found.core_type


def test_of_two_blas_libraries_numpys_is_named(monkeypatch):
    loaded = [
        {"user_api": "openmp", "internal_api": "openmp", "filepath": "libgomp.so", "version": None},
        {"user_api": "blas", "internal_api": "mkl", "filepath": "libmkl_rt.so", "version": "2025.1"},
        {
            "user_api": "blas", "internal_api": "openblas", "filepath": "numpy.libs/openblas.so", "version": "0.3.31",
            "architecture": "Zen",
        },
    ]  # fmt: skip
    monkeypatch.setattr(blas, "threadpool_info", lambda: loaded)
    assert named() == ("OpenBLAS 0.3.31", "Zen")
    del loaded[2]
    assert named() == ("MKL 2025.1", "")


def test_a_blas_that_cannot_be_asked_is_the_one_that_numpy_was_built_with(monkeypatch):
    monkeypatch.setattr(blas, "threadpool_info", list)
    built_with = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    assert named() == (built_with, "")


def test_a_core_type_that_was_raised_says_from_what(monkeypatch):
    loaded = [
        {"user_api": "blas", "internal_api": "openblas", "filepath": "", "version": "1", "architecture": "SkylakeX"}
    ]
    monkeypatch.setattr(blas, "threadpool_info", lambda: loaded)
    monkeypatch.delenv(RAISED_FROM, raising=False)
    assert loaded_blas().raised_from == ""
    monkeypatch.setenv(RAISED_FROM, "Haswell")
    assert loaded_blas().raised_from == "Haswell"
    assert str(loaded_blas()) == "OpenBLAS 1 (SkylakeX)"
    loaded[0]["architecture"] = "Haswell"  # it could not be raised
    assert loaded_blas().raised_from == ""
