"""How the program starts: with a better BLAS core type where the CPU has one, once, and only if nobody objects."""

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
    """A function that describes a CPU by its flags."""

    def describe(flags):
        path = tmp_path / "cpuinfo"
        path.write_text(f"processor\t: 0\nflags\t\t: fpu avx2 fma {flags}\n")
        return path

    return describe


@pytest.fixture
def openblas(monkeypatch):
    """A function that lets OpenBLAS take a core type."""

    def take(core_type, name="OpenBLAS 0.3.31"):
        monkeypatch.setattr(start, "loaded_blas", lambda: Blas(name, core_type, ""))

    return take


@pytest.mark.parametrize("taken", ["Haswell", "Zen", "Sandybridge", "Prescott"])
def test_a_lesser_type_on_a_cpu_with_avx512_is_found(cpu, openblas, taken):
    openblas(taken)
    assert start.lesser_core_type({}, cpu(AVX512)) == taken


@pytest.mark.parametrize("taken", ["SkylakeX", "Cooperlake", "SapphireRapids", "Zen5", "unknown", ""])
def test_a_type_that_is_as_good_or_not_known_is_left_alone(cpu, openblas, taken):
    openblas(taken)
    assert start.lesser_core_type({}, cpu(AVX512)) is None


@pytest.mark.parametrize("missing", AVX512.split())
def test_a_cpu_that_lacks_one_of_the_instruction_sets_keeps_its_type(cpu, openblas, missing):
    openblas("Haswell")
    assert start.lesser_core_type({}, cpu(AVX512.replace(missing, ""))) is None


def test_a_person_can_have_the_blas_left_as_it_is(cpu, openblas):
    openblas("Haswell")
    assert start.lesser_core_type({"TINYDNN_BLAS": "as-is"}, cpu(AVX512)) is None


def test_a_lesser_type_that_the_environment_asks_for_is_found_too(cpu, openblas):
    openblas("Haswell")
    assert start.lesser_core_type({"OPENBLAS_CORETYPE": "Haswell"}, cpu(AVX512)) == "Haswell"


def test_the_program_starts_anew_only_once(cpu, openblas):
    openblas("Haswell")  # an OpenBLAS that does not listen
    environment = {"OPENBLAS_CORETYPE": "SkylakeX", RAISED_FROM: "Haswell"}
    assert start.lesser_core_type(environment, cpu(AVX512)) is None


def test_another_blas_is_left_alone(cpu, openblas):
    openblas("Haswell", name="BLIS 1.0")
    assert start.lesser_core_type({}, cpu(AVX512)) is None


def test_the_program_starts_anew_with_its_own_command_line_and_says_what_it_did(cpu, openblas, monkeypatch):
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


def test_a_system_that_cannot_start_it_anew_goes_on_slower(cpu, openblas, monkeypatch):
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


def test_an_import_of_the_library_changes_nothing():
    bare = run("-c", "import numpy, threadpoolctl; print(threadpoolctl.threadpool_info()[0].get('architecture'))")
    assert run("-c", SHOW.format(RAISED_FROM)).stdout == f"{bare.stdout.strip()} False\n"


def test_the_program_itself_runs_with_the_best_type_that_is_there():
    """Where the CPU has AVX-512 and NumPy a bundled OpenBLAS; elsewhere, with the type that is taken anyway."""
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


def test_version_and_help_do_not_start_anew():
    found = run("-X", "importtime", "-m", "tinydnn", "--version")
    assert found.stderr.count("import time: self") == 1
    assert found.stdout.startswith("tinydnn ")
