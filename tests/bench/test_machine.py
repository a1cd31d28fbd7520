"""The machine is read from Linux's description of its CPUs and from the loaded BLAS."""

import os
import platform

import numpy as np
import pytest

from tinydnn.bench.machine import installed, instruction_sets, machine
from tinydnn.kernels.cpu.blas import loaded_blas
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
    """A function that reads the machine from the text of a cpuinfo file."""

    def read(text):
        path = tmp_path / "cpuinfo"
        path.write_text(text)
        return machine(path)

    return read


def test_the_first_cpu_gives_name_and_instruction_sets(described):
    found = described(INTEL)
    assert found.cpu == "Xeon of a test"
    assert found.instruction_sets == ("AVX", "AVX2", "FMA", "AVX-512F", "AVX-512VL")


def test_a_cpu_without_a_name_gets_the_name_of_its_architecture(described):
    found = described(ARM)
    assert found.cpu == (platform.processor() or platform.machine())
    assert found.instruction_sets == ("NEON", "SVE")


def test_without_cpuinfo_the_cpu_has_a_name_too(tmp_path):
    found = machine(tmp_path / "none")
    assert found.cpu == (platform.processor() or platform.machine())
    assert found.instruction_sets == ()


def test_versions_cores_and_threads_are_those_of_this_process():
    found = machine()
    assert (found.numpy, found.python) == (np.__version__, platform.python_version())
    assert 1 <= found.cores <= os.cpu_count()
    assert found.threads == thread_count()
    assert found.numba == installed("numba")
    assert (found.blas, found.core_type) == (loaded_blas().name, loaded_blas().core_type)
    assert found.instruction_sets == instruction_sets()


@pytest.mark.skipif(not hasattr(os, "getloadavg"), reason="the system reports no load")
@pytest.mark.parametrize(("share", "busy"), [(0.0, False), (0.2, False), (0.6, True), (3.0, True)])
def test_a_loaded_machine_is_busy(monkeypatch, share, busy):
    monkeypatch.setattr(os, "getloadavg", lambda: (share * os.cpu_count(), 0.0, 0.0))
    assert machine().load == pytest.approx(share)
    assert machine().busy == busy


def test_a_missing_package_has_no_version():
    assert installed("no-such-package-of-tinydnn") is None
