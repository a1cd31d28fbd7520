"""The benchmarks of the GPU, on an emulated one: what they do is right; how long it takes means nothing here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinydnn.backend import emulated
from tinydnn.data.dataset import Dataset
from tinydnn.runs import Options

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.skipif(shutil.which("g++") is None, reason="the emulated GPU needs g++, which is not installed")
def test_a_training_of_some_iterations_has_a_time_and_a_result():
    from time_to_accuracy import train

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (15, 1, 16, 16)).astype(np.uint8)
    data = Dataset(images, np.arange(15) % 3, np.array([""] * 15), ("a", "b", "c"))
    with emulated("forward"):
        found = train(data, Options(batch_size=2, size=16, device="cuda", precision="tf32"), 2)
    assert found["seconds"] >= 2 * found["median_step_s"] * 0.5 > 0
    assert found["held_out_slices"] == 3
    assert np.isfinite([found["first_loss"], found["last_loss"]]).all()


def test_bounds_are_those_of_a_contestants_precision():
    from train_step import bounds_of

    peak = {"fp32": 10.0, "tf32": 100.0}
    names = {"tinydnn tf32 graph": 100, "tinydnn fp32": 10, "torch eager nchw tf32": 100, "torch compile fp32": 10}
    assert {name: bounds_of(peak, 10**9, name) for name in names} == names
    assert bounds_of({"fp32": 10.0}, 10**9, "torch eager nchw") == 10


def test_bytes_are_those_that_the_fused_design_moves():
    from train_step import step_bytes

    assert step_bytes(256, 128) == pytest.approx(1.55e9 / 128, rel=0.1)  # as counted by hand, the large matrix with it
    assert step_bytes(256, 32) > step_bytes(256, 128)


def test_losses_agree_as_far_as_precision_lets_them():
    from arena import Score
    from train_step import agreement

    def scores(**losses):
        return [Score(name.replace("_", " "), 1, losses=[1.0, loss]) for name, loss in losses.items()]

    assert agreement(scores(a_fp32=1.0, b_fp32=1.0005))[1]
    assert not agreement(scores(a_fp32=1.0, b_fp32=1.002))[1]
    assert agreement(scores(a_fp32=1.0, b_tf32=1.01))[1]
    assert not agreement(scores(a_fp32=1.0, b_tf32=1.05))[1]


@pytest.mark.parametrize(
    "command", [["train_step.py", "--device", "cuda"], ["time_to_accuracy.py"], ["gpu_report.sh", "FOLDER"]]
)
def test_without_a_gpu_one_line_says_so(command, tmp_path):
    script, *options = command
    program = ["bash"] if script.endswith(".sh") else [sys.executable]
    options = [str(tmp_path) if one == "FOLDER" else one for one in options]
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": "", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*program, str(BENCHMARKS / script), *options], capture_output=True, text=True, check=False, env=hidden
    )
    assert done.returncode != 0
    assert "device cuda: expected" in (done.stdout + done.stderr).splitlines()[-1]
