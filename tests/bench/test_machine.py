"""What is read of the machine: from the file in which Linux describes its CPUs, and from the BLAS that is loaded."""

import os
import platform

import numpy as np
import pytest

from tinydnn.bench import machine as module
from tinydnn.bench.machine import installed, machine
from tinydnn.kernels.cpu.threads import thread_count

INTEL = """\
processor\t: 0
model name\t: Xeon of a test
flags\t\t: fpu sse2 avx avx2 fma avx512f avx512vl

processor\t: 1
model name\t: another
"""
ARM = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd sve\n\nprocessor\t: 1\n"


@pytest.fixture
def described(tmp_path):
    """A function that reads the machine as if its CPUs were described by a text."""

    def read(text):
        path = tmp_path / "cpuinfo"
        path.write_text(text)
        return machine(path)

    return read


def test_name_and_instruction_sets_are_those_of_the_first_cpu(described):
    found = described(INTEL)
    assert found.cpu == "Xeon of a test"
    assert found.instruction_sets == ("AVX", "AVX2", "FMA", "AVX-512F", "AVX-512VL")


def test_a_cpu_without_a_name_has_that_of_its_kind(described):
    found = described(ARM)
    assert found.cpu == (platform.processor() or platform.machine())
    assert found.instruction_sets == ("NEON", "SVE")


def test_where_linux_is_not_the_cpu_has_a_name_all_the_same(tmp_path):
    found = machine(tmp_path / "none")
    assert found.cpu == (platform.processor() or platform.machine())
    assert found.instruction_sets == ()


def test_versions_cores_and_threads_are_those_of_this_process():
    found = machine()
    assert (found.numpy, found.python) == (np.__version__, platform.python_version())
    assert 1 <= found.cores <= os.cpu_count()
    assert found.threads == thread_count()
    assert found.numba == installed("numba")
    assert found.blas


def test_of_two_blas_libraries_numpys_is_named(monkeypatch):
    loaded = [
        {"user_api": "openmp", "internal_api": "openmp", "filepath": "libgomp.so", "version": None},
        {"user_api": "blas", "internal_api": "mkl", "filepath": "libmkl_rt.so", "version": "2025.1"},
        {
            "user_api": "blas", "internal_api": "openblas", "filepath": "numpy.libs/openblas.so", "version": "0.3.31",
            "architecture": "Zen",
        },
    ]  # fmt: skip
    monkeypatch.setattr(module, "threadpool_info", lambda: loaded)
    assert (machine().blas, machine().core_type) == ("OpenBLAS 0.3.31", "Zen")
    del loaded[2]
    assert (machine().blas, machine().core_type) == ("MKL 2025.1", "")


def test_a_blas_that_cannot_be_asked_is_the_one_that_numpy_was_built_with(monkeypatch):
    monkeypatch.setattr(module, "threadpool_info", list)
    built_with = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    assert (machine().blas, machine().core_type) == (built_with, "")


@pytest.mark.skipif(not hasattr(os, "getloadavg"), reason="the system counts no load")
@pytest.mark.parametrize(("share", "busy"), [(0.0, False), (0.2, False), (0.6, True), (3.0, True)])
def test_a_machine_that_does_much_else_is_busy(monkeypatch, share, busy):
    monkeypatch.setattr(os, "getloadavg", lambda: (share * os.cpu_count(), 0.0, 0.0))
    assert machine().load == pytest.approx(share)
    assert machine().busy == busy


def test_what_is_not_installed_has_no_version():
    assert installed("no-such-package-of-tinydnn") is None
