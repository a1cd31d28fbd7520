"""`tinydnn bench` and `tinydnn check`: output, refused arguments and exit status."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WRONG = Path(__file__).parents[1] / "bench" / "wrong_kernels"
GOOD = """
import numpy as np
from tinydnn import ops

@ops.relu.forward("mine")
def relu(x):
    return np.where(x > 0, x, 0)
"""


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tinydnn", *arguments],
        env={**os.environ, "MPLBACKEND": "Agg"}, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(GOOD)
    return str(path)


def test_bench_prints_and_writes_machine_checks_and_times(tmp_path, good):
    out, plot = tmp_path / "bench.json", tmp_path / "roofline.png"
    done = run(
        "bench", "relu", "--load", good, "--shape", "2x4x16x16", "--json", str(out), "--plot", str(plot), "--train"
    )
    assert done.returncode == 0, done.stderr
    expected = [
        "peaks, measured: ", "relu of 2x4x16x16 in float32", "FLOP/byte; memory bounds it", "took 0.",
        "relu: mine: passed 7 cases (value; gradients are the reference's", "median ms", "x reference",
        "temporary memory", "step          mine     reference", "the losses agree",
    ]  # fmt: skip
    places = [done.stdout.find(text) for text in expected]
    assert -1 not in places, done.stdout
    assert places == sorted(places), done.stdout
    written = json.loads(out.read_text())
    assert {(line["name"], line["direction"]) for line in written["lines"]} == {
        (name, direction) for name in ("mine", "reference") for direction in ("forward", "backward")
    }
    assert {line["label"] for line in written["lines"]} == {"mine, backward: reference", "reference"}
    assert all(0 < line["p20"] <= line["median"] <= line["p80"] for line in written["lines"])
    assert written["checks"] == {"mine": [], "reference": []}
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_kernel_that_fails_its_check_is_not_timed(tmp_path):
    out = tmp_path / "bench.json"
    done = run("bench", "relu", "--load", str(WRONG / "leaky.py"), "--shape", "2x4x8x8", "--json", str(out))
    assert done.returncode == 1
    assert "relu: wrong: WRONG: wrong value" in done.stdout
    assert "Not timed, because the check failed: wrong" in done.stdout
    assert {line["name"] for line in json.loads(out.read_text())["lines"]} == {"reference"}


def test_a_sweep_prints_a_line_for_each_size_and_draws_a_plot(tmp_path):
    done = run("bench", "softmax_cross_entropy", "--sweep", "--plot", str(tmp_path / "sweep.png"))
    assert done.returncode == 0, done.stderr
    assert all(f"\n{rows}x10" in done.stdout for rows in (8, 32, 128, 512))
    assert (tmp_path / "sweep.png").stat().st_size > 1000


def test_check_reports_the_outcome_by_its_exit_status(good):
    assert run("check", "relu", "--load", good).returncode == 0
    failed = run("check", "relu", "--load", str(WRONG / "wrong_gradient.py"))
    assert failed.returncode == 1
    assert "wrong dx" in failed.stdout
    assert failed.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bench", "conv3d"), "OP: expected an operation (attention_pool2d, "),
        (("bench", "relu", "--plot", "a.jpg"), "--plot: expected a name that ends in .png, .svg or .pdf, found a.jpg"),
        (("bench", "relu", "--only", "fast"), "--only: expected implementations of relu (reference), found 'fast'"),
        (("bench", "relu", "--shape", "2x"), "--shape: expected sizes such as"),
        (("bench", "relu", "--shape", "0x4"), "--shape: expected sizes such as"),
        (("bench", "relu", "--dtype", "float16"), "'--dtype': 'float16' is not one of 'float32', 'float64'"),
        (("bench", "relu", "--device", "cuda"), "device cuda"),
        (("bench", "relu", "--baseline", "mine", "--shape", "2x2x2x2"), "--baseline: expected one of reference"),
        (("bench", "conv2d", "--shape", "2x3"), "--shape: expected NxCxHxW,OxCxKxK"),
        (("check", "relu", "--load", "none.py"), "none.py: expected a Python file with a kernel, found nothing there"),
    ],
)
def test_misuse_is_reported_in_one_line(arguments, message):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("tinydnn: ")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


CUDA_RELU = """
import numpy as np
from tinydnn import ops
from tinydnn.backend import array_module
from tinydnn.kernels.cuda import RawKernel

KERNEL = RawKernel(\"\"\"
extern "C" __global__ void relu(const float* x, float* z, int n) {
    int k = blockIdx.x * blockDim.x + threadIdx.x;
    if (k CONDITION n) z[k] = x[k] > 0 ? x[k] : 0;
}\"\"\", "relu")

@ops.relu.implementation("mine", device="cuda", supports=lambda call: call.x.dtype == np.float32)
def relu(x):
    xp = array_module(x)
    x = xp.ascontiguousarray(x)
    z = xp.empty(x.shape, x.dtype)
    KERNEL((-(-x.size // 64),), (64,), (x, z, SIZE))
    return z, lambda dz: dz * (x > 0)
"""


@pytest.mark.parametrize(
    ("condition", "size", "message"),
    [
        ("<", "np.int32(x.size)", "relu: mine: passed 7 cases"),
        ("<=", "np.int32(x.size)", "out of bounds: thread "),
        ("<", "x.size", "argument 2: expected int32, found int64"),
    ],
)
def test_a_cuda_kernel_is_checked_emulated(condition, size, message, tmp_path):
    if shutil.which("g++") is None:
        pytest.skip("the emulated GPU needs g++, which is not installed")
    file = tmp_path / "mine.py"
    file.write_text(CUDA_RELU.replace("CONDITION", condition).replace("SIZE", size))
    done = run("bench", "relu", "--load", str(file), "--device", "emulated")
    assert message in done.stdout, done.stderr
    assert done.returncode == (0 if condition == "<" and "int32" in size else 1)
    assert "checked, not timed" in done.stdout
    assert done.stderr == ""


def test_a_kernel_for_another_device_is_refused(good):
    done = run("check", "relu", "--load", good, "--device", "emulated")
    assert done.returncode == 2
    assert 'expected a kernel for cuda, as in implementation(…, device="cuda"), found none' in done.stderr
