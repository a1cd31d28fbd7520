"""The program restarts itself once with a better BLAS core type if the CPU supports one, unless told not to."""

import os
import platform
import subprocess
import sys

import pytest

from tinydnn.bench.machine import instruction_sets
from tinydnn.cli import start
from tinydnn.kernels.cpu.blas import RAISED_FROM, Blas, loaded_blas

AVX512 = "avx512f avx512dq avx512cd avx512bw avx512vl"
ON_LINUX = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="only done on Linux on x86-64"
)
pytestmark = ON_LINUX


@pytest.fixture
def cpu(tmp_path):
    """A function that writes a cpuinfo file with the given flags."""

    def describe(flags):
        path = tmp_path / "cpuinfo"
        path.write_text(f"processor\t: 0\nflags\t\t: fpu avx2 fma {flags}\n")
        return path

    return describe


@pytest.fixture
def openblas(monkeypatch):
    """A function that makes OpenBLAS report a core type."""

    def take(core_type, name="OpenBLAS 0.3.31"):
        monkeypatch.setattr(start, "loaded_blas", lambda: Blas(name, core_type, ""))

    return take


@pytest.mark.parametrize("taken", ["Haswell", "Zen", "Sandybridge", "Prescott"])
def test_a_lesser_type_on_a_cpu_with_avx512_is_detected(cpu, openblas, taken):
    openblas(taken)
    assert start.lesser_core_type({}, cpu(AVX512)) == taken


@pytest.mark.parametrize("taken", ["SkylakeX", "Cooperlake", "SapphireRapids", "Zen5", "unknown", ""])
def test_an_equal_or_unknown_type_is_left_alone(cpu, openblas, taken):
    openblas(taken)
    assert start.lesser_core_type({}, cpu(AVX512)) is None


@pytest.mark.parametrize("missing", AVX512.split())
def test_a_cpu_that_lacks_an_extension_keeps_its_type(cpu, openblas, missing):
    openblas("Haswell")
    assert start.lesser_core_type({}, cpu(AVX512.replace(missing, ""))) is None


def test_the_switch_turns_the_restart_off(cpu, openblas):
    openblas("Haswell")
    assert start.lesser_core_type({"TINYDNN_BLAS": "as-is"}, cpu(AVX512)) is None


def test_a_lesser_type_set_by_the_environment_is_detected(cpu, openblas):
    openblas("Haswell")
    assert start.lesser_core_type({"OPENBLAS_CORETYPE": "Haswell"}, cpu(AVX512)) == "Haswell"


def test_the_program_restarts_only_once(cpu, openblas):
    openblas("Haswell")  # an OpenBLAS that ignores the variable
    environment = {"OPENBLAS_CORETYPE": "SkylakeX", RAISED_FROM: "Haswell"}
    assert start.lesser_core_type(environment, cpu(AVX512)) is None


def test_another_blas_is_left_alone(cpu, openblas):
    openblas("Haswell", name="BLIS 1.0")
    assert start.lesser_core_type({}, cpu(AVX512)) is None


def test_a_restart_uses_the_same_command_line(cpu, openblas, monkeypatch):
    started = []
    monkeypatch.setattr(os, "execve", lambda *arguments: started.append(arguments))
    for name in ("OPENBLAS_CORETYPE", "TINYDNN_BLAS", RAISED_FROM):
        monkeypatch.delenv(name, raising=False)
    openblas("Haswell")
    start.raise_core_type(cpu(AVX512))
    [(program, command, environment)] = started
    assert program == sys.executable
    assert command == [sys.executable, *sys.orig_argv[1:]]
    assert environment == os.environ | {"OPENBLAS_CORETYPE": "SkylakeX", RAISED_FROM: "Haswell"}


def test_a_failed_restart_is_ignored(cpu, openblas, monkeypatch):
    def refuse(*arguments):
        raise OSError("no")

    monkeypatch.setattr(os, "execve", refuse)
    openblas("Haswell")
    start.raise_core_type(cpu(AVX512))


def run(*command, **variables):
    environment = {name: value for name, value in os.environ.items() if name not in ("OPENBLAS_CORETYPE", RAISED_FROM)}
    return subprocess.run(
        [sys.executable, *command], env=environment | variables, capture_output=True, text=True, timeout=60, check=False
    )


SHOW = """
import os, tinydnn
from tinydnn.kernels.cpu.blas import loaded_blas
print(loaded_blas().core_type, {!r} in os.environ)
"""


def test_importing_the_library_changes_nothing():
    bare = run("-c", "import numpy, threadpoolctl; print(threadpoolctl.threadpool_info()[0].get('architecture'))")
    assert run("-c", SHOW.format(RAISED_FROM)).stdout == f"{bare.stdout.strip()} False\n"


def test_the_program_runs_with_the_best_available_type():
    """On a CPU with AVX-512 and with NumPy's bundled OpenBLAS; elsewhere the type does not change."""
    show = (
        "import sys; sys.argv[1:] = ['info']; from tinydnn.cli import app, start; "
        "from tinydnn.kernels.cpu.blas import loaded_blas; app.main = lambda: print(loaded_blas()); start.main()"
    )
    before, after = run("-c", show, TINYDNN_BLAS="as-is"), run("-c", show)
    assert (before.returncode, after.returncode) == (0, 0), before.stderr + after.stderr
    if loaded_blas().name.startswith("OpenBLAS") and set(instruction_sets()) >= start.NEEDED:
        assert not any(f"({taken})" in after.stdout for taken in start.LESSER)
    else:
        assert after.stdout == before.stdout


def test_the_switch_has_one_position():
    found = run("-m", "tinydnn", "--version", TINYDNN_BLAS="fast")
    assert (found.returncode, found.stderr) == (2, "tinydnn: TINYDNN_BLAS: expected as-is or nothing, found 'fast'\n")


def test_version_does_not_restart_the_program():
    found = run("-X", "importtime", "-m", "tinydnn", "--version")
    assert found.stderr.count("import time: self") == 1
    assert found.stdout.startswith("tinydnn ")
