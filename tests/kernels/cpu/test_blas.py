"""The name and the core type of the loaded BLAS."""

import numpy as np

from tinydnn.kernels.cpu import blas
from tinydnn.kernels.cpu.blas import RAISED_FROM, loaded_blas


def name_and_core_type():
    library = loaded_blas()
    return library.name, library.core_type


def test_numpys_blas_is_named_if_two_are_loaded(monkeypatch):
    loaded = [
        {"user_api": "openmp", "internal_api": "openmp", "filepath": "libgomp.so", "version": None},
        {"user_api": "blas", "internal_api": "mkl", "filepath": "libmkl_rt.so", "version": "2025.1"},
        {
            "user_api": "blas", "internal_api": "openblas", "filepath": "numpy.libs/openblas.so", "version": "0.3.31",
            "architecture": "Zen",
        },
    ]  # fmt: skip
    monkeypatch.setattr(blas, "threadpool_info", lambda: loaded)
    assert name_and_core_type() == ("OpenBLAS 0.3.31", "Zen")
    del loaded[2]
    assert name_and_core_type() == ("MKL 2025.1", "")


def test_numpys_build_names_a_blas_that_is_not_detected(monkeypatch):
    monkeypatch.setattr(blas, "threadpool_info", list)
    built_with = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    assert name_and_core_type() == (built_with, "")


def test_a_raised_core_type_is_reported_with_the_original_one(monkeypatch):
    loaded = [
        {"user_api": "blas", "internal_api": "openblas", "filepath": "", "version": "1", "architecture": "SkylakeX"}
    ]
    monkeypatch.setattr(blas, "threadpool_info", lambda: loaded)
    monkeypatch.delenv(RAISED_FROM, raising=False)
    assert loaded_blas().raised_from == ""
    monkeypatch.setenv(RAISED_FROM, "Haswell")
    assert loaded_blas().raised_from == "Haswell"
    assert str(loaded_blas()) == "OpenBLAS 1 (SkylakeX)"
    loaded[0]["architecture"] = "Haswell"  # raising it had no effect
    assert loaded_blas().raised_from == ""
