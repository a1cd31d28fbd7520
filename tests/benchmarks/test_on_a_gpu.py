"""The GPU benchmarks on an emulated GPU, which checks that they work; the times mean nothing there."""

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
def test_time_to_accuracy_reports_times_losses_and_the_held_out_slices():
    from time_to_accuracy import train

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (15, 1, 16, 16)).astype(np.uint8)
    dataset = Dataset(images, np.arange(15) % 3, np.array([""] * 15), ("a", "b", "c"))
    with emulated("forward"):
        results = train(dataset, Options(batch_size=2, size=16, device="cuda", precision="tf32"), 2)
    assert results["seconds"] >= 2 * results["median_step_s"] * 0.5 > 0
    assert results["held_out_slices"] == 3
    assert np.isfinite([results["first_loss"], results["last_loss"]]).all()


def test_training_may_take_several_epochs():
    from time_to_accuracy import train

    images = np.random.default_rng(0).integers(0, 256, (30, 1, 16, 16)).astype(np.uint8)
    dataset = Dataset(images, np.arange(30) % 3, np.array([""] * 30), ("a", "b", "c"))
    results = train(dataset, Options(batch_size=13, size=16), 3)  # 24 training slices: one batch an epoch
    assert results["seconds"] >= 2 * results["median_step_s"] > 0


def test_the_bound_is_that_of_the_contestants_precision():
    from train_step import bounds_of

    peak = {"fp32": 10.0, "tf32": 100.0}
    names = {"tinydnn tf32 graph": 100, "tinydnn fp32": 10, "torch eager nchw tf32": 100, "torch compile fp32": 10}
    assert {name: bounds_of(peak, 10**9, name) for name in names} == names
    assert bounds_of({"fp32": 10.0}, 10**9, "torch eager nchw") == 10


def test_the_bytes_are_those_that_a_fused_step_moves():
    from train_step import step_bytes

    assert step_bytes(256, 128) == pytest.approx(1.55e9 / 128, rel=0.1)  # counted by hand, with the large matrix
    assert step_bytes(256, 32) > step_bytes(256, 128)


def test_losses_must_agree_to_their_precision():
    from arena import Score
    from train_step import agreement

    def scores(**losses):
        return [Score(name.replace("_", " "), 1, losses=[1.0, loss]) for name, loss in losses.items()]

    assert agreement(scores(a_fp32=1.0, b_fp32=1.0005))[1]
    assert not agreement(scores(a_fp32=1.0, b_fp32=1.002))[1]
    assert agreement(scores(a_fp32=1.0, b_tf32=1.01))[1]
    assert not agreement(scores(a_fp32=1.0, b_tf32=1.05))[1]


@pytest.mark.parametrize(
    "command",
    [["train_step.py", "--device", "cuda"], ["time_to_accuracy.py"], ["gpu_report.sh", "ARCHIVE"], ["gpu_profile.py"]],
)
def test_without_a_gpu_the_last_line_names_the_device(command, tmp_path):
    script, *options = command
    program = ["bash"] if script.endswith(".sh") else [sys.executable]
    options = [str(tmp_path / "report.tar.gz") if option == "ARCHIVE" else option for option in options]
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": "", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*program, str(BENCHMARKS / script), *options], capture_output=True, text=True, check=False, env=hidden
    )
    assert done.returncode != 0
    assert "device cuda: expected" in (done.stdout + done.stderr).splitlines()[-1]
