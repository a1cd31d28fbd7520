"""`tinydnn info` prints the hardware, the libraries and the measured peaks; with MODEL, the contents of that file."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from tinydnn.checkpoint import load_model, save_model
from tinydnn.data.crop import Crop


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


def test_a_model_is_described_without_measuring_the_machine(command, trained, monkeypatch, tmp_path):
    monkeypatch.setattr("tinydnn.cli.info.peaks", None)
    result = command("info", trained.model, "--json", tmp_path / "info.json")
    assert (result.status, result.err) == (0, "")
    saved = load_model(trained.model)
    patients, size = len(saved.training_patients), trained.model.stat().st_size
    lines = result.out.splitlines()
    assert lines[:7] == [
        f"file              model, {size / 1e6:.1f} MB, format version 1",
        "classes           meningioma, glioma, pituitary",
        "input             16 x 16 pixels, 1 channel",
        "crop              none",
        f"normalisation     grey, minus {saved.normalise.shift:g}, over {saved.normalise.scale:g} (standard)",
        "views             1 per image",
        f"trained on        {patients} patients, recorded as hashes",
    ]
    assert "\n".join(lines[7:]) == str(saved.model.summary())
    written = json.loads((tmp_path / "info.json").read_text())["model"]
    parameters = sum(parameter.value.size for parameter in saved.model.parameters().values())
    assert (written["bytes"], written["training_patients"], written["parameters"]) == (size, patients, parameters)
    assert (written["input_shape"], written["iteration"]) == ([1, 16, 16], None)


def test_a_checkpoint_is_described_with_its_iteration(command, trained):
    lines = command("info", trained.folder / "checkpoint.h5").out.splitlines()
    assert lines[0].startswith("file              checkpoint after iteration 12, ")
    assert lines[1:] == command("info", trained.model).out.splitlines()[1:]


def test_crop_views_and_unknown_patients_are_shown(command, trained, tmp_path):
    save_model(
        tmp_path / "m.h5", replace(load_model(trained.model), crop=Crop("ring"), views=10, training_patients=None)
    )
    lines = command("info", tmp_path / "m.h5").out.splitlines()
    for line in ("crop              ring-0.2", "views             10 per image", "trained on        unknown patients"):
        assert line in lines
