"""A run that is killed or stopped at any moment ends, once resumed, like an uninterrupted one."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from tinydnn.runs.files import FILES

OPTIONS = [
    "--size", "32", "--batch-size", "16", "--epochs", "4", "--lr", "0.01", "--schedule", "cosine", "--seed", "3",
]  # fmt: skip


def reset_sigint():
    """Restore the default: a program that a shell starts in the background ignores SIGINT, and its children too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Program:
    """`tinydnn train` on the slices, in a process and with a cache folder of its own."""

    def __init__(self, slices, home, name):
        self.slices, self.out, self.cache = slices, home / name, home / f"{name}-cache"
        self.log = home / f"{name}.log"

    def start(self, *more):
        environment = os.environ | {
            "TINYDNN_CACHE": str(self.cache), "TINYDNN_THREADS": "2", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        with self.log.open("a") as log:
            command = [sys.executable, "-m", "tinydnn", "train", str(self.slices), "--out", str(self.out)]
            return subprocess.Popen(
                [*command, *OPTIONS, *more], env=environment, stdout=log, stderr=log,
                preexec_fn=reset_sigint,
            )  # fmt: skip

    def kill(self, when, *more):
        """Start it and kill it as soon as `when(seconds since the start)` is true; return whether it still ran."""
        process, start = self.start(*more), time.perf_counter()
        while process.poll() is None and not when(time.perf_counter() - start):
            time.sleep(0.001)
        process.kill()
        return process.wait() == -signal.SIGKILL

    def complete(self, *more):
        assert self.start(*more).wait() == 0, self.log.read_text()

    def result(self):
        """Every array of the model, the history and the metrics, without times."""
        assert {path.name for path in self.out.iterdir()} == set(FILES)
        with h5py.File(self.out / "model.h5") as file:
            arrays = {}
            file.visititems(
                lambda name, item: arrays.update({name: item[...]}) if isinstance(item, h5py.Dataset) else None
            )
        history = [
            {key: value for key, value in row.items() if key != "seconds"}
            for row in csv.DictReader((self.out / "history.csv").read_text().splitlines())
        ]
        metrics = json.loads((self.out / "metrics.json").read_text())
        del metrics["training_seconds"]
        return arrays, history, metrics

    def assert_same_result(self, other):
        (arrays, *rest), (expected, *expected_rest) = self.result(), other.result()
        assert arrays.keys() == expected.keys()
        assert len(arrays) == 13  # of six layers, weight and bias, and the training patients
        for name, array in arrays.items():
            assert np.array_equal(array, expected[name]), name
        assert rest == expected_rest


@pytest.fixture(scope="module")
def uninterrupted(slices, tmp_path_factory):
    """An uninterrupted run; `seconds` is how long it took."""
    program = Program(slices, tmp_path_factory.mktemp("whole"), "run")
    start = time.perf_counter()
    program.complete()
    program.seconds = time.perf_counter() - start
    assert len(program.result()[1]) == 12
    return program


@pytest.mark.parametrize("seed", range(3))
def test_a_run_killed_at_random_moments_ends_the_same(uninterrupted, slices, tmp_path, seed):
    program, moments = Program(slices, tmp_path, "run"), random.Random(seed)
    resume = []
    for _ in range(2):
        moment = moments.uniform(0.2, 1.1) * uninterrupted.seconds
        program.kill(lambda seconds, moment=moment: seconds > moment, *resume)
        resume = ["--resume"]
    program.complete("--resume")
    program.assert_same_result(uninterrupted)


def appeared(folder, pattern, count=1):
    """A condition for `kill`: `count` different files that match the pattern have appeared in the folder."""
    names = set()

    def condition(seconds):
        names.update(path.name for path in folder.glob(pattern))
        return len(names) >= count

    return condition


def test_a_run_killed_while_writing_any_file_ends_the_same(uninterrupted, slices, tmp_path):
    program, resume = Program(slices, tmp_path, "run"), []
    program.out.mkdir()
    for pattern, count in [
        ("../run-cache/*.partial", 1), ("config.json", 1), (".checkpoint-*", 2), (".model-*", 1), (".metrics-*", 1),
    ]:  # fmt: skip
        # The signal may arrive after the file is complete; then the next start finds it intact.
        program.kill(appeared(program.out, pattern, count), *resume)
        resume = ["--resume"]
    program.complete("--resume")
    program.assert_same_result(uninterrupted)


@pytest.mark.parametrize("epochs_done", [0, 2])
def test_ctrl_c_finishes_the_iteration_and_writes_a_checkpoint(uninterrupted, slices, tmp_path, epochs_done):
    program = Program(slices, tmp_path, "run")
    program.out.mkdir()
    process = program.start()
    if epochs_done:
        written = appeared(program.out, ".checkpoint-*", epochs_done)
        while not written(0):
            time.sleep(0.001)
    else:
        while "Run folder" not in program.log.read_text():  # printed just before the first iteration
            time.sleep(0.001)
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    output = program.log.read_text()
    assert f"Resume with: tinydnn train --out {program.out} --resume" in output
    assert "Traceback" not in output
    assert (program.out / "checkpoint.h5").exists()
    assert not (program.out / "metrics.json").exists()
    program.complete("--resume")
    program.assert_same_result(uninterrupted)


def test_ctrl_c_before_training_ends_at_once_and_names_the_command_to_resume(uninterrupted, slices, tmp_path):
    program = Program(slices, tmp_path, "run")
    process, preparing = program.start(), appeared(program.cache, "*.partial")
    while process.poll() is None and not preparing(0):
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    output = program.log.read_text()
    assert "Resume with: " in output
    assert "Traceback" not in output
    program.complete("--resume")
    program.assert_same_result(uninterrupted)
