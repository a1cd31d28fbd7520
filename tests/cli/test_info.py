"""`tinydnn info` prints the hardware, the libraries and the measured peaks."""

import json
import os
import subprocess
import sys

import pytest


def run(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "tinydnn", "info", *arguments],
        env={**os.environ, **variables}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_info_prints_a_line_for_each_property_and_writes_json(tmp_path):
    done = run("--threads", "1", "--json", str(tmp_path / "info.json"))
    assert done.returncode == 0, done.stderr
    for label in ("CPU", "instruction sets", "cores, threads", "BLAS", "Python, NumPy", "Numba", "CuPy", "load"):
        assert f"\n{label}  " in "\n" + done.stdout, label
    written = json.loads((tmp_path / "info.json").read_text())
    assert written["machine"]["threads"] == 1
    for dtype, rates in written["peaks"].items():
        assert f"{dtype} products" in done.stdout
        assert f"{rates['gflops']:.0f} GFLOP/s" in done.stdout
        assert rates["gflops"] > 0.1
    assert written["peaks"]["float32"]["gflops"] > written["peaks"]["float64"]["gflops"]


@pytest.mark.parametrize(
    ("arguments", "variables", "origin"),
    [(["--threads", "3"], {}, "3 (--threads)"), ([], {"TINYDNN_THREADS": "2"}, "2 (TINYDNN_THREADS)")],
)
def test_info_prints_the_origin_of_the_threads(arguments, variables, origin):
    assert origin in run(*arguments, **variables).stdout


@pytest.mark.parametrize("threads", ["0", "-1", "many"])
def test_an_invalid_number_of_threads_is_refused_in_one_line(threads):
    done = run("--threads", threads)
    assert done.returncode == 2
    assert done.stderr.startswith("tinydnn: ")
    assert len(done.stderr.splitlines()) == 1
    assert "--threads" in done.stderr
