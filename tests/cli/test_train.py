"""`tinydnn train`: its output, the files of the run, and how it is resumed."""

import csv
import json
import shutil

import pytest

from tinydnn.runs.files import EXPLANATIONS, FILES, remove_run

SMALL = ("--size", 16, "--batch-size", 16, "--epochs", 1)


@pytest.fixture
def copy(trained, tmp_path):
    """A copy of the finished run, to be modified."""
    return shutil.copytree(trained.folder, tmp_path / "copy")


def test_the_folder_of_a_run_contains_these_files_and_no_others(trained):
    assert sorted(path.name for path in trained.folder.iterdir()) == [
        "checkpoint.h5", "config.json", "confusion-matrix.png", "history.csv", "metrics.json", "model.h5",
        "predictions.csv", "report.html", "training-progress.png",
    ]  # fmt: skip
    for name in ("training-progress.png", "confusion-matrix.png"):
        assert (trained.folder / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_the_output_names_the_data_the_split_and_the_result(trained):
    lines = trained.printed.splitlines()
    assert lines[0] == "60 slices of 21 patients: meningioma, glioma, pituitary"
    assert lines[1] == "48 to train, 12 to test, split by slice"
    assert "test slices show a patient who is in training too. Slices of a patient are alike," in lines[2]
    assert "use --split patient" in lines[3]
    assert lines[4] == "4 epochs of 3 iterations of 16 slices"
    assert lines[5] == "These are few iterations (12); a smaller --batch-size gives more of them."
    assert f"Run folder: {trained.folder}" in lines
    assert [line.split()[1] for line in lines if line.startswith("epoch ")] == ["1/4", "2/4", "3/4", "4/4"]
    assert "95 % interval" in trained.printed
    assert lines[-1] == f"Model, plots and metrics are in {trained.folder}"


def test_the_metrics_contain_everything_that_a_reader_needs(trained):
    metrics = json.loads((trained.folder / "metrics.json").read_text())
    matrix = metrics["confusion_matrix"]
    assert sum(map(sum, matrix)) == metrics["slices"] == 12
    assert metrics["accuracy"] == sum(matrix[k][k] for k in range(3)) / 12
    low, high = metrics["accuracy_interval_95"]
    assert 0 <= low <= metrics["accuracy"] <= high <= 1
    assert metrics["loss"] > 0
    assert list(metrics["per_class"]) == ["meningioma", "glioma", "pituitary"]
    for row in metrics["per_class"].values():
        assert row.keys() == {"precision", "recall", "f1", "support"}
        assert row["support"] == 4
    assert metrics["macro"].keys() == {"precision", "recall", "f1"}
    protocol = metrics["protocol"]
    assert (protocol["split"], protocol["seed"], protocol["test_fraction"]) == ("slice", 0, 0.2)
    assert (protocol["train_slices"], protocol["test_slices"]) == (48, 12)
    assert 0 < protocol["train_patients"] <= 21
    assert 0 < protocol["test_patients"] <= 12
    assert protocol["share_with_patient_in_training"] == protocol["test_slices_with_patient_in_training"] / 12
    assert metrics["iterations"] == 12
    assert metrics["training_seconds"] > 0
    assert {"python", "tinydnn", "numpy", "h5py"} == set(metrics["versions"])
    assert metrics["synthetic"] is False


def test_the_history_has_a_row_for_every_iteration(trained):
    lines = list(csv.DictReader((trained.folder / "history.csv").read_text().splitlines()))
    assert list(lines[0]) == [
        "epoch", "iteration", "learning_rate", "loss", "accuracy", "seconds", "validation_loss", "validation_accuracy"
    ]  # fmt: skip
    assert [int(line["iteration"]) for line in lines] == list(range(1, 13))
    metrics = json.loads((trained.folder / "metrics.json").read_text())
    assert float(lines[-1]["validation_loss"]) == metrics["loss"]
    assert float(lines[-1]["validation_accuracy"]) == metrics["accuracy"]


def test_a_complete_run_is_not_resumed(command, trained):
    before = {path.name: path.stat().st_mtime_ns for path in trained.folder.iterdir()}
    result = command("train", "--out", trained.folder, "--resume")
    assert result.status == 0
    assert f"The run in {trained.folder} is complete already." in result.out
    assert {path.name: path.stat().st_mtime_ns for path in trained.folder.iterdir()} == before


def test_a_run_is_resumed_with_its_own_options_and_moved_data(command, copy, slices, tmp_path, trained):
    moved = shutil.copytree(slices, tmp_path / "moved")
    for name in ("metrics.json", "model.h5", "history.csv"):
        (copy / name).unlink()
    result = command("train", moved, "--out", copy, "--resume", "--epochs", 4, "--lr", 0.01)
    assert result.status == 0
    assert "Resuming after iteration 12 of 12" in result.out
    for name in ("metrics.json", "history.csv"):
        assert (copy / name).read_bytes() == (trained.folder / name).read_bytes()


def test_without_a_run_to_resume_it_starts_from_the_beginning(command, slices, tmp_path):
    result = command("train", slices, *SMALL, "--out", tmp_path / "new", "--resume")
    assert result.status == 0
    assert f"{tmp_path / 'new'} holds no run yet: starting from the beginning." in result.out


def test_without_a_folder_runs_are_numbered(command, slices, tmp_path, monkeypatch, no_plots):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        assert "Run folder: runs/batchnorm-" in command("train", slices, *SMALL, "--model", "batchnorm").out
        assert (tmp_path / f"runs/batchnorm-{number}/metrics.json").exists()


def test_broken_files_are_skipped_and_listed_on_request(command, learnable, tmp_path):
    learnable(tmp_path / "mats", 60)
    (tmp_path / "mats" / "61.mat").write_bytes(b"broken")
    result = command("train", tmp_path / "mats", *SMALL, "--out", tmp_path / "run", "--skip-broken")
    assert result.status == 0
    assert "Left out: 61.mat: " in result.out
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert [name for name, _ in config["data"]["skipped"]] == ["61.mat"]


def test_without_data_it_warns_that_phantoms_are_not_patients(command, slices, tmp_path, monkeypatch):
    monkeypatch.setattr("tinydnn.data.prepare.cache.phantoms", lambda count, *, size, progress: slices)
    result = command("train", *SMALL, "--out", tmp_path / "run")
    assert result.status == 0
    assert "No DATA was passed: this run uses synthetic phantoms, not images of patients." in result.out


def test_diverging_training_ends_with_one_line_and_a_lower_learning_rate(command, slices, tmp_path):
    result = command("train", slices, *SMALL, "--epochs", 3, "--lr", "1e6", "--out", tmp_path / "run")
    assert result.status == 2
    assert result.err.startswith("tinydnn: training diverged: the ")
    assert "start anew with a lower learning rate than 1e+06" in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "run" / "model.h5").exists()


def test_a_run_that_diverged_before_its_first_checkpoint_does_not_occupy_its_folder(command, slices, tmp_path):
    out = tmp_path / "run"
    assert command("train", slices, *SMALL, "--lr", "1e30", "--out", out).status == 2
    assert [path.name for path in out.iterdir()] == ["config.json"]
    assert command("train", slices, *SMALL, "--lr", "0.01", "--out", out).status == 0
    assert json.loads((out / "config.json").read_text())["options"]["lr"] == 0.01


def test_overwrite_replaces_a_run_and_nothing_else(command, slices, copy, trained):
    (copy / "notes.txt").write_text("mine")
    result = command("train", slices, *SMALL, "--out", copy)
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "holds a run already; choose another folder, --resume it or --overwrite it" in result.err
    assert (copy / "metrics.json").read_bytes() == (trained.folder / "metrics.json").read_bytes()
    assert command("train", slices, *SMALL, "--out", copy, "--overwrite").status == 0
    assert json.loads((copy / "metrics.json").read_text())["iterations"] == 3
    assert (copy / "notes.txt").read_text() == "mine"


def test_an_invalid_option_leaves_the_run_that_it_would_replace(command, slices, copy, trained):
    result = command("train", slices, *SMALL, "--batch-size", 500, "--out", copy, "--overwrite")
    assert result.status == 2
    assert (copy / "metrics.json").read_bytes() == (trained.folder / "metrics.json").read_bytes()


def test_a_foreign_configuration_is_not_replaced(command, slices, tmp_path):
    (tmp_path / "config.json").write_text('{"mine": 1}')
    result = command("train", slices, *SMALL, "--out", tmp_path)
    assert result.status == 2
    assert "holds a run already" in result.err
    assert (tmp_path / "config.json").read_text() == '{"mine": 1}'


def test_an_interrupted_overwrite_leaves_no_run_that_looks_complete(copy, monkeypatch):
    removed = []

    def unlink(path, missing_ok):
        removed.append(path.name)

    monkeypatch.setattr("pathlib.Path.unlink", unlink)
    remove_run(copy)
    assert removed[0] == "metrics.json"
    assert removed[-1] == "config.json"
    assert sorted(removed) == sorted((*EXPLANATIONS, *FILES))


def test_data_inside_the_folder_is_not_overwritten(command, copy, slices):
    data = shutil.copytree(slices, copy / "slices")
    result = command("train", data, *SMALL, "--out", copy, "--overwrite")
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "--overwrite: expected data and weights outside of" in result.err
    assert (copy / "metrics.json").exists()


def test_the_folder_of_the_data_takes_no_run(command, slices):
    result = command("train", slices, *SMALL, "--out", slices, "--overwrite")
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "--out: expected another folder than that of the data" in result.err


def test_resuming_without_a_run_and_without_data_does_not_train_on_phantoms(command, tmp_path):
    result = command("train", "--out", tmp_path / "typo", "--resume")
    assert (result.status, result.out) == (2, "")
    assert "or DATA to begin one with, found neither" in result.err


def test_ctrl_c_before_an_overwrite_says_to_repeat_the_command(command, copy, slices, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("tinydnn.data.prepare.cache.prepared", interrupted)
    result = command("train", slices, *SMALL, "--out", copy, "--overwrite")
    assert result.out == "Stopped. Resume with: the same command\n"
    assert (copy / "metrics.json").exists()


def test_resume_and_overwrite_exclude_each_other(command, copy):
    result = command("train", "--out", copy, "--resume", "--overwrite")
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "--resume, --overwrite: expected one of the two, found both" in result.err


def test_the_best_epoch_is_printed_and_stored(command, slices, tmp_path):
    out = tmp_path / "run"
    result = command("train", slices, *SMALL, "--epochs", 4, "--validation", 0.2, "--views", 2, "--out", out)
    metrics = json.loads((out / "metrics.json").read_text())
    rows = [row for row in csv.DictReader((out / "history.csv").read_text().splitlines()) if row["validation_loss"]]
    best = min(rows, key=lambda row: float(row["validation_loss"]))
    assert metrics["best_epoch"]["epoch"] == int(best["epoch"])
    assert metrics["best_epoch"]["loss"] == float(best["validation_loss"])
    assert metrics["views"] == 2
    assert f"Best epoch: {best['epoch']}, with validation loss {float(best['validation_loss']):.4f}" in result.out
    assert "The figures after each epoch are of one view of each slice, those at the end of 2 views." in result.out


def test_figures_of_an_epoch_name_the_set_that_they_are_of(command, slices, tmp_path, no_plots):
    for options, name in (((), "test"), (("--validation", 0.2), "validation")):
        result = command("train", slices, *SMALL, *options, "--out", tmp_path / name)
        line = next(line for line in result.out.splitlines() if line.startswith("epoch "))
        assert f"  {name} loss " in line
        assert "1 epoch of " in result.out


def test_a_lack_of_memory_is_reported_in_one_line(command, slices, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr("tinydnn.data.dataset.Dataset.read", fail)
    result = command("train", slices, *SMALL, "--out", tmp_path / "run")
    assert result.status == 2
    assert result.err == (
        "tinydnn: not enough memory (Unable to allocate 9 TiB); a smaller --size or --batch-size needs less\n"
    )


def test_the_default_is_not_the_best_epoch(trained):
    metrics = json.loads((trained.folder / "metrics.json").read_text())
    assert metrics["best_epoch"] is None
    assert metrics["views"] == 1


def test_the_help_names_every_model_and_groups_the_options(command):
    result = command("train", "--help")
    words = " ".join(result.out.replace("│", " ").split())
    assert "baseline, batchnorm, regions, large-regions, attention or vit-tiny" in words
    panels = ("Data", "Model", "Optimisation", "Augmentation", "Evaluation", "Hardware", "Run")
    positions = [result.out.index(f"─ {panel} ─") for panel in panels]
    assert positions == sorted(positions)
