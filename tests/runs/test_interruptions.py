"""A run that is killed or stopped, at any moment and as often as it likes, ends as if it had never been."""

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

FILES = {
    "config.json", "history.csv", "metrics.json", "model.h5", "checkpoint.h5", "training-progress.png",
    "confusion-matrix.png", "predictions.csv",
}  # fmt: skip
OPTIONS = [
    "--size", "32", "--batch-size", "16", "--epochs", "4", "--lr", "0.01", "--schedule", "cosine", "--seed", "3",
]  # fmt: skip


def heed_ctrl_c():
    """What a shell starts in the background ignores SIGINT, and hands that down."""
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
                preexec_fn=heed_ctrl_c,
            )  # fmt: skip

    def kill(self, when, *more):
        """Start it, kill it with SIGKILL once `when(seconds since the start)` is true; whether it was still alive."""
        process, start = self.start(*more), time.perf_counter()
        while process.poll() is None and not when(time.perf_counter() - start):
            time.sleep(0.001)
        process.kill()
        return process.wait() == -signal.SIGKILL

    def complete(self, *more):
        assert self.start(*more).wait() == 0, self.log.read_text()

    def result(self):
        """Every array of the model, the history and the figures, without the times that were taken."""
        assert {path.name for path in self.out.iterdir()} == FILES
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

    def ends_as(self, other):
        (arrays, *rest), (expected, *expected_rest) = self.result(), other.result()
        assert arrays.keys() == expected.keys()
        assert len(arrays) == 12
        for name, array in arrays.items():
            assert np.array_equal(array, expected[name]), name
        assert rest == expected_rest


@pytest.fixture(scope="module")
def uninterrupted(slices, tmp_path_factory):
    """A run that nobody disturbed, and how many seconds it took."""
    program = Program(slices, tmp_path_factory.mktemp("whole"), "run")
    start = time.perf_counter()
    program.complete()
    program.seconds = time.perf_counter() - start
    assert len(program.result()[1]) == 12
    return program


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments_and_resumed_it_ends_the_same(uninterrupted, slices, tmp_path, seed):
    program, moments = Program(slices, tmp_path, "run"), random.Random(seed)
    resume = []
    for _ in range(2):
        moment = moments.uniform(0.2, 1.1) * uninterrupted.seconds
        program.kill(lambda seconds, moment=moment: seconds > moment, *resume)
        resume = ["--resume"]
    program.complete("--resume")
    program.ends_as(uninterrupted)


def appeared(folder, pattern, count=1):
    """Whether so many files of that kind have been seen in the folder."""
    seen = set()

    def look(seconds):
        seen.update(path.name for path in folder.glob(pattern))
        return len(seen) >= count

    return look


def test_killed_wherever_a_file_is_written_and_resumed_it_ends_the_same(uninterrupted, slices, tmp_path):
    program, resume = Program(slices, tmp_path, "run"), []
    program.out.mkdir()
    for pattern, count in [
        ("../run-cache/*.partial", 1), ("config.json", 1), (".checkpoint-*", 2), (".model-*", 1), (".metrics-*", 1),
    ]:  # fmt: skip
        # The blow may fall a moment after the file is finished: then the next start finds it whole.
        program.kill(appeared(program.out, pattern, count), *resume)
        resume = ["--resume"]
    program.complete("--resume")
    program.ends_as(uninterrupted)


@pytest.mark.parametrize("epochs_done", [0, 2])
def test_ctrl_c_finishes_the_iteration_writes_a_checkpoint_and_says_how_to_go_on(
    uninterrupted, slices, tmp_path, epochs_done
):
    program = Program(slices, tmp_path, "run")
    program.out.mkdir()
    process = program.start()
    if epochs_done:
        written = appeared(program.out, ".checkpoint-*", epochs_done)
        while not written(0):
            time.sleep(0.001)
    else:
        while "Run folder" not in program.log.read_text():  # what is said before the first iteration
            time.sleep(0.001)
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    said = program.log.read_text()
    assert f"Go on with: tinydnn train --out {program.out} --resume" in said
    assert "Traceback" not in said
    assert (program.out / "checkpoint.h5").exists()
    assert not (program.out / "metrics.json").exists()
    program.complete("--resume")
    program.ends_as(uninterrupted)


def test_ctrl_c_before_the_training_ends_it_at_once_and_says_how_to_go_on(uninterrupted, slices, tmp_path):
    program = Program(slices, tmp_path, "run")
    process, preparing = program.start(), appeared(program.cache, "*.partial")
    while process.poll() is None and not preparing(0):
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    said = program.log.read_text()
    assert "Go on with: " in said
    assert "Traceback" not in said
    program.complete("--resume")
    program.ends_as(uninterrupted)
