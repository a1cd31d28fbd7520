"""A run and its folder: its configuration, how it is resumed, and the files that it writes."""

import csv
import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.kernels.cpu.threads import thread_count
from tinydnn.models import MODELS
from tinydnn.runs import Options, Run
from tinydnn.runs.config import read_config
from tinydnn.runs.files import FILES, lock_folder
from tinydnn.training.protocol import Step, Validation

OPTIONS = Options(model="batchnorm", size=16, batch_size=8, epochs=2, lr=0.01)


@pytest.fixture
def started(dataset):
    """A function that starts a run."""

    def start(folder, options=OPTIONS, data=None):
        run = Run(folder, options, data or dataset())
        run.start()
        return run

    return start


def read_history(folder):
    return list(csv.DictReader((folder / "history.csv").read_text().splitlines()))


def without_times(records):
    return [replace(record, seconds=0) if isinstance(record, Step) else record for record in records]


def test_a_run_is_complete_once_its_metrics_are_written(tmp_path, started):
    run = started(tmp_path / "run")
    assert not run.complete
    list(run.records())
    run.finish()
    assert run.complete
    assert {path.name for path in (tmp_path / "run").iterdir()} == set(FILES)
    for name in ("training-progress.png", "confusion-matrix.png"):
        assert (tmp_path / "run" / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_the_configuration_comes_first_and_names_all_that_decides_the_result(tmp_path, started, dataset):
    run = started(tmp_path, data=dataset(skipped=(("7.mat", "broken"),)))
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["options"] == asdict(OPTIONS)
    assert config["data"] == {
        "source": "slices", "content": "that", "synthetic": False, "slices": 30, "patients": 10,
        "pids": None, "class_names": ["a", "b", "c"], "skipped": [["7.mat", "broken"]],
    }  # fmt: skip
    assert config["normalisation"]["shift"] == run.trainer.normalise.shift
    assert config["iterations_per_epoch"] == 3
    assert {line.partition(": ")[0] for line in config["implementations"]} > {"conv2d", "maxpool2d", "linear"}
    assert config["threads"] == thread_count()
    assert {"python", "numpy", "h5py", "tinydnn"} == set(config["versions"])


def test_the_history_has_a_row_per_iteration_and_validations_at_epoch_ends(tmp_path, started):
    run = started(tmp_path)
    list(run.records())
    lines = read_history(tmp_path)
    assert list(lines[0]) == [
        "epoch", "iteration", "learning_rate", "loss", "accuracy", "seconds", "validation_loss", "validation_accuracy"
    ]  # fmt: skip
    assert [(line["epoch"], line["iteration"]) for line in lines] == [
        ("1", "1"), ("1", "2"), ("1", "3"), ("2", "4"), ("2", "5"), ("2", "6")
    ]  # fmt: skip
    assert [bool(line["validation_loss"]) for line in lines] == [False, False, True] * 2
    steps = [record for record in run.trainer.records if isinstance(record, Step)]
    assert [float(line["loss"]) for line in lines] == [step.loss for step in steps]


def test_a_checkpoint_follows_every_epoch(tmp_path, started):
    run, times = started(tmp_path), []
    for _ in run.records():
        times.append((tmp_path / "checkpoint.h5").stat().st_mtime_ns if (tmp_path / "checkpoint.h5").exists() else 0)
    assert times[:3] == [0, 0, 0]
    assert times[3] == times[6] < times[7]


def test_a_kill_between_checkpoint_and_history_loses_no_history(tmp_path, no_plots, monkeypatch, started):
    run = started(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("tinydnn.runs.files.write_history", lambda *_: None)
        list(run.records())
    assert not (tmp_path / "history.csv").exists()
    resumed = started(tmp_path)
    assert list(resumed.records()) == []
    resumed.finish()
    assert [line["iteration"] for line in read_history(tmp_path)] == list("123456")


def test_a_stop_before_the_validation_of_an_epoch_loses_nothing(tmp_path, no_plots, started):
    whole = started(tmp_path / "whole")
    list(whole.records())
    for stop_after in (3, 6):
        run, folder = started(tmp_path / f"{stop_after}"), tmp_path / f"{stop_after}"
        for record in run.records():
            if isinstance(record, Step) and record.iteration == stop_after:
                run.save()
                break
        resumed = started(folder)
        list(resumed.records())
        assert without_times(resumed.trainer.records) == without_times(whole.trainer.records)
        assert len(read_history(folder)) == 6


def test_partial_files_of_a_kill_are_removed(tmp_path, started):
    started(tmp_path)
    for name in (".checkpoint-abcd1234.h5", ".history-x.csv", ".training-progress-1.png", ".mine.h5"):
        (tmp_path / name).write_bytes(b"half")
    started(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", ".mine.h5"}


def test_a_run_is_not_resumed_with_another_thread_count(tmp_path, monkeypatch, started):
    started(tmp_path)
    began = thread_count()
    monkeypatch.setattr("tinydnn.runs.config.thread_count", lambda: began + 1)
    with pytest.raises(InputError, match=f"expected {began} threads.*found {began + 1}.*--threads {began}"):
        started(tmp_path)


def test_a_run_is_not_resumed_with_other_data(tmp_path, started, dataset):
    started(tmp_path)
    with pytest.raises(InputError, match="the data is not what this run began with; its contents have changed"):
        started(tmp_path, data=dataset(content="other"))


def test_a_run_is_not_resumed_with_other_options(tmp_path, started):
    started(tmp_path)
    with pytest.raises(InputError, match=r"expected lr 0\.01, with which this run began, found 0\.02"):
        started(tmp_path, replace(OPTIONS, lr=0.02))
    started(tmp_path, replace(OPTIONS, data="moved"))


def test_a_folder_is_locked_against_a_second_process(tmp_path):
    folder = tmp_path / "run"
    with (
        lock_folder(folder),
        pytest.raises(InputError, match="another process is writing to this folder"),
        lock_folder(folder),
    ):
        pass
    with lock_folder(folder):
        assert list(folder.iterdir()) == []


def test_diverged_weights_do_not_overwrite_the_checkpoint(tmp_path, started):
    run = started(tmp_path)
    for record in run.records():
        if record.iteration == 4:
            break
    good = (tmp_path / "checkpoint.h5").read_bytes()
    run.trainer.model.parameters()["00-conv2d/weight"].value[:] = np.nan
    with pytest.raises(InputError, match="training diverged: the largest 00-conv2d/weight after iteration 4 is nan"):
        run.save()
    assert (tmp_path / "checkpoint.h5").read_bytes() == good


def test_diverging_training_stops_and_keeps_the_last_finite_checkpoint(tmp_path, started):
    run = started(tmp_path, replace(OPTIONS, model="baseline", lr=0.01, schedule="constant", epochs=9))
    for record in run.records():
        if isinstance(record, Validation):
            break
    good = (tmp_path / "checkpoint.h5").read_bytes()
    run.trainer.schedule = lambda iteration: 1e30
    with pytest.raises(InputError, match=r"training diverged: .* lower learning rate than 0\.01, for example 0\.001"):
        list(run.records())
    assert (tmp_path / "checkpoint.h5").read_bytes() == good


def test_the_metrics_count_the_slices_and_patients_of_each_part(tmp_path, no_plots, started):
    run = started(tmp_path)
    list(run.records())
    metrics = run.finish()
    protocol = metrics["protocol"]
    assert (protocol["train_slices"], protocol["test_slices"]) == (24, 6)
    train, test = ({run.dataset.patients[n] for n in part} for part in (run.split.train, run.split.test))
    assert (protocol["train_patients"], protocol["test_patients"]) == (len(train), len(test))
    shared = sum(run.dataset.patients[n] in train for n in run.split.test)
    assert protocol["test_slices_with_patient_in_training"] == shared > 0
    assert protocol["share_with_patient_in_training"] == shared / 6
    assert f"{shared} of 6 test slices show a patient who is in training too." in no_plots[1]


def test_a_split_by_patient_shares_no_patient(tmp_path, no_plots, started):
    run = started(tmp_path, replace(OPTIONS, split="patient"))
    list(run.records())
    assert run.finish()["protocol"]["share_with_patient_in_training"] == 0


def test_nothing_is_claimed_about_unknown_patients(tmp_path, no_plots, started, dataset):
    run = started(tmp_path, data=dataset(patients=np.array([""] * 30)))
    list(run.records())
    metrics = run.finish()
    assert metrics["protocol"]["share_with_patient_in_training"] is None
    assert metrics["protocol"]["test_slices_with_patient_in_training"] is None
    assert "The patients of the test slices are unknown." in no_plots[1]


def test_a_batch_larger_than_the_training_set_is_refused(tmp_path, dataset):
    for schedule in ("constant", "step", "cosine", "one-cycle"):
        with pytest.raises(InputError, match="batch size: expected at most 24"):
            Run(tmp_path, replace(OPTIONS, batch_size=25, schedule=schedule), dataset())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "vgg"}, f"--model: expected one of {', '.join(MODELS)}, found 'vgg'"),
        ({"optimizer": "lion"}, "--optimizer: expected one of sgd, adam, found 'lion'"),
        ({"schedule": "zigzag"}, "--schedule: expected one of constant, step, cosine, one-cycle"),
        ({"split": "fold"}, "--split: expected one of slice, patient"),
        ({"normalise": "max"}, "--normalise: expected one of standard, minmax"),
        ({"epochs": 0}, "--epochs: expected at least 1, found 0"),
        ({"epochs": 1.5}, "--epochs: expected a whole number, found 1.5"),
        ({"batch_size": True}, "--batch-size: expected a whole number, found True"),
        ({"seed": -1}, "--seed: expected at least 0, found -1"),
        ({"size": 15}, "--size: expected 16 to 1024 pixels, found 15"),
        ({"size": 1025}, "--size: expected 16 to 1024 pixels, found 1025"),
        ({"test_fraction": float("nan")}, "--test-fraction: expected a number between 0 and 1, found nan"),
        ({"momentum": 1.0}, "--momentum: expected at least 0 and below 1, found 1.0"),
        ({"weight_decay": float("inf")}, "--weight-decay: expected a number of at least 0, found inf"),
        ({"lr": 0.0}, "--lr: expected a number above 0, found 0.0"),
        ({"data": 3}, "--data: expected a path, found 3"),
        ({"device": 0}, "--device: expected a name, found 0"),
        ({"views": 3}, "--views: expected one of 1, 2, 10, found 3"),
        ({"views": True}, "--views: expected one of 1, 2, 10, found True"),
        ({"split": "official"}, "--split: expected one of slice, patient, found 'official'"),
        ({"fold": 6}, "--fold: expected 1 to 5, found 6"),
        ({"model": ["baseline"]}, f"--model: expected one of {', '.join(MODELS)}, found ['b"),
        ({"balance": 1}, "--balance: expected true or false, found 1"),
        ({"momentum": True}, "--momentum: expected a number, found True"),
    ],
)
def test_an_invalid_option_is_reported_with_what_was_expected_and_found(changes, words):
    with pytest.raises(InputError) as error:
        Options(**changes)
    assert words in str(error.value)


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "one-cycle"])
def test_every_schedule_peaks_at_the_learning_rate(schedule):
    options = Options(schedule=schedule, lr=0.5)
    rates = [options.make_schedule(101)(t) for t in range(101)]
    assert max(rates) == pytest.approx(0.5)
    if schedule == "step":
        assert sorted(set(rates), reverse=True) == pytest.approx([0.5, 0.05, 0.005, 0.0005])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda config: config.pop("options"), "options"),
        (lambda config: config["options"].pop("seed"), "seed missing"),
        (lambda config: config["options"].update(epochs="ten"), "--epochs: expected a whole number, found ten"),
        (lambda config: config["options"].update(more=1), "more"),
        (lambda config: config["options"].update(momentum="x"), ""),
        (lambda config: config.update(options=[1]), ""),
        (lambda config: config["data"].pop("content"), "content"),
        (lambda config: config.update(data=None), ""),
    ],
)
def test_an_invalid_configuration_is_refused_with_its_path(tmp_path, change, words, started):
    started(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    change(config)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError) as error:
        read_config(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'config.json'}: expected the configuration of a run")
    assert words in str(error.value)


def test_balance_sets_the_log_prior_of_the_trainer(tmp_path, dataset):
    data = replace(dataset(), labels=np.repeat([0, 0, 0, 0, 0, 0, 1, 1, 2, 2], 3))
    run = Run(tmp_path, replace(OPTIONS, balance=True), data)
    counts = np.bincount(data.labels[run.split.train])
    assert run.trainer.log_prior == pytest.approx(np.log(3 * counts / counts.sum()), rel=1e-6)
    assert Run(tmp_path, OPTIONS, data).trainer.log_prior is None
