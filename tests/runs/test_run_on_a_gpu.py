"""A run on an emulated GPU: it records device and precision, and its files are those of any run."""

import json
import shutil

import numpy as np
import pytest

from tinydnn.backend import emulated
from tinydnn.checkpoint import load_model
from tinydnn.data.dataset import Dataset
from tinydnn.errors import InputError
from tinydnn.runs import Options, Run, files


@pytest.mark.skipif(shutil.which("g++") is None, reason="the emulated GPU needs g++, which is not installed")
def test_a_gpu_run_records_its_precision_and_writes_a_model_for_any_machine(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 1, 16, 16)).astype(np.uint8)
    patients = np.array([f"P{k}" for k in range(9)])
    data = Dataset(images, np.arange(9) % 3, patients, ("a", "b", "c"))
    options = Options(epochs=1, batch_size=3, size=16, device="cuda", precision="tf32", test_fraction=0.34)
    with emulated("forward"):
        run = Run(tmp_path, options, data)
        run.start()
        assert len(list(run.records())) == 3  # two steps and a validation
        metrics = run.finish()
    config = json.loads((tmp_path / files.CONFIG).read_text())
    assert config["options"]["device"] == "cuda"
    assert config["options"]["precision"] == "tf32"
    implementations = {"conv2d_relu_maxpool2d: fused fp32", "conv2d_relu_maxpool2d: fused tf32", "linear: tf32"}
    assert implementations <= set(config["implementations"])
    assert all((tmp_path / name).exists() for name in files.FILES)
    assert metrics["iterations"] == 2
    saved = load_model(tmp_path / files.MODEL)
    assert np.isfinite(saved.model.predict(saved.normalise(images))).all()  # on the CPU


def test_tf32_needs_a_gpu():
    with pytest.raises(InputError, match=r"--precision: expected fp32 on the CPU .* found tf32"):
        Options(precision="tf32")
    with pytest.raises(InputError, match="--precision: expected one of fp32, tf32, found 'fp16'"):
        Options(device="cuda", precision="fp16")
