"""`tinydnn explain evaluate`: scores of the explanations of a finished run."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tinydnn.checkpoint import load_model
from tinydnn.errors import InputError
from tinydnn.explain import METHODS, methods_for
from tinydnn.explain.baselines import BASELINES
from tinydnn.runs.files import EXPLANATIONS

QUICK = ("--method", "saliency,grad-cam")


@pytest.fixture(scope="module")
def explained(trained, printed_by, tmp_path_factory):
    """The folder of explanations, and what the command printed."""
    folder = tmp_path_factory.mktemp("explained") / "new"
    printed = printed_by("explain", "evaluate", trained.folder, *QUICK, "--out", folder)
    return folder, printed


@pytest.fixture(scope="module")
def report(explained):
    return json.loads((explained[0] / "explanations.json").read_text())


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of the run, to write into."""
    return shutil.copytree(trained.folder, tmp_path / "run")


def refused(result):
    """The message of a command that was refused: one line."""
    assert (result.status, result.out) == (2, "")
    (line,) = result.err.splitlines()
    return line


def test_the_report_has_every_score_of_every_method_and_baseline(report, trained):
    metrics = json.loads((trained.folder / "metrics.json").read_text())
    assert [entry["name"] for entry in report["methods"]] == ["saliency", "grad-cam", *BASELINES]
    assert report["protocol"]["slices"] == metrics["slices"]
    assert report["protocol"]["accuracy"] == pytest.approx(metrics["accuracy"])
    for entry in report["methods"]:
        for name in ("pointing_game", "energy_inside", "mask_iou", "average_precision"):
            score = entry["scores"]["all"][name]
            assert 0 <= score["interval_95"][0] <= score["mean"] <= score["interval_95"][1] <= 1
        assert len(entry["faithfulness"]["deletion_curve"]) == 17
        assert len(entry["sanity"]["correlations"]) == len(entry["sanity"]["layers"]) == 6


def test_groups_of_slices_add_up_to_all(report):
    for entry in report["methods"]:
        whole, classes = entry["scores"]["all"], list(entry["scores"]["by_class"].values())
        answers = [group for group in (entry["scores"]["right"], entry["scores"]["wrong"]) if group]
        for groups in (classes, answers):
            assert sum(group["slices"] for group in groups) == whole["slices"]
            total = sum(group["slices"] * group["energy_inside"]["mean"] for group in groups)
            assert total == pytest.approx(whole["slices"] * whole["energy_inside"]["mean"])


def test_what_ignores_the_network_is_reported_as_failed(report):
    verdicts = {entry["name"]: entry["sanity"]["verdict"] for entry in report["methods"]}
    assert verdicts["saliency"] != "failed: all layers"
    assert {verdicts[name] for name in BASELINES} == {"failed: all layers"}


def test_tables_are_printed_with_methods_and_baselines(explained):
    folder, printed = explained
    for words in ("Saliency", "Grad-CAM", "baselines:", "Edge detector", "pointing game", "right answers", "failed"):
        assert words in printed
    assert "learned from tumour masks" not in printed
    assert printed.splitlines()[-1] == f"Report and plots are in {folder}"
    assert sorted(path.name for path in folder.iterdir()) == sorted(EXPLANATIONS)


def test_the_number_of_slices_of_every_group_is_printed(explained, report):
    whole = report["methods"][0]["scores"]
    (line,) = [line for line in explained[1].splitlines() if line.startswith("Slices: ")]
    groups = {**whole["by_class"], "right answers": whole["right"], "wrong answers": whole["wrong"]}
    expected = [f"{name} {group['slices'] if group else 0}" for name, group in groups.items()]
    assert line == f"Slices: {', '.join(expected)}"


def test_a_network_that_has_learned_from_masks_is_called_that(report, capsys):
    from tinydnn.cli.explanation_tables import print_explanations
    from tinydnn.runs.explanation_files import _notes

    regions = report | {"model": "regions"}
    print_explanations(regions)
    for text in (capsys.readouterr().out, *_notes(regions).values()):
        assert "The network has learned from tumour masks where to look." in text


def test_the_same_command_gives_the_same_report(command, trained, report, tmp_path, no_plots):
    assert command("explain", "evaluate", trained.folder, *QUICK, "--out", tmp_path / "again").status == 0
    again = json.loads((tmp_path / "again" / "explanations.json").read_text())
    for entry in (*again["methods"], *report["methods"]):
        entry["seconds_per_slice"] = None
    assert again == report


def test_a_subset_is_explained_by_default_into_the_folder_of_the_run(command, copied, no_plots):
    result = command("explain", "evaluate", copied, "--method", "saliency", "--slices", 4)
    assert result.status == 0
    report = json.loads((copied / "explanations.json").read_text())
    assert report["protocol"]["slices"] == report["methods"][0]["scores"]["all"]["slices"] == 4
    message = refused(command("explain", "evaluate", copied))
    assert "holds explanations already; choose another folder, or --overwrite them" in message
    again = command("explain", "evaluate", copied, "--method", "saliency", "--slices", 5, "--overwrite")
    assert again.status == 0
    assert json.loads((copied / "explanations.json").read_text())["protocol"]["slices"] == 5


def test_a_new_run_in_the_folder_removes_the_explanations_of_the_old_one(command, copied, slices, no_plots):
    for name in EXPLANATIONS:
        (copied / name).touch()
    options = ["--size", "16", "--batch-size", "16", "--epochs", "1", "--out", copied, "--overwrite"]
    assert command("train", slices, *options).status == 0
    assert not any((copied / name).exists() for name in EXPLANATIONS)


def test_every_method_that_supports_the_model_is_the_default(command, trained, tmp_path, monkeypatch):
    def stop(slices, methods):
        found.extend(methods)
        raise InputError("stopped")

    found = []
    monkeypatch.setattr("tinydnn.runs.explaining.work", stop)
    assert "stopped" in refused(command("explain", "evaluate", trained.folder, "--out", tmp_path))
    assert found == [*methods_for(load_model(trained.model).model), *BASELINES.values()]


def test_a_cell_has_the_interval_if_there_is_one():
    from tinydnn.cli.explanation_tables import _mean

    assert _mean({"energy": {"mean": 0.123, "interval_95": [0.1, 0.2]}}, "energy") == "12.3 (10-20)"
    assert _mean({"energy": {"mean": 0.123, "interval_95": None}}, "energy") == "12.3 (-)"
    assert _mean(None, "energy") == "-"


@pytest.mark.parametrize("missing", ["config.json", "model.h5", "metrics.json"])
def test_a_folder_without_a_finished_run_is_refused(command, copied, missing):
    (copied / missing).unlink()
    message = refused(command("explain", "evaluate", copied))
    assert f"{copied}: expected the folder of a finished run, found no {missing} there" in message


def test_no_folder_is_refused(command, tmp_path):
    assert "expected the folder of a finished run" in refused(command("explain", "evaluate", tmp_path / "none"))


def test_an_unknown_method_is_refused_before_the_data_is_read(command, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("tinydnn.cli.explain_evaluate.open_dataset", lambda options: pytest.fail("read the data"))
    arguments = ("--method", "saliency,tea-leaves", "--out", tmp_path)
    message = refused(command("explain", "evaluate", trained.folder, *arguments))
    assert "expected one of saliency, " in message
    assert message.endswith("found 'tea-leaves'")


def test_a_method_that_cannot_explain_the_model_is_refused(command, trained, tmp_path, monkeypatch):
    from dataclasses import replace

    unfit = replace(METHODS["grad-cam"], supports=lambda model: False)
    monkeypatch.setitem(METHODS, "grad-cam", unfit)
    message = refused(command("explain", "evaluate", trained.folder, *QUICK, "--out", tmp_path))
    assert "--method: expected what can explain this model (saliency, " in message
    assert message.endswith("), found grad-cam")


def test_a_file_as_out_is_refused(command, trained, tmp_path):
    (tmp_path / "file").touch()
    message = refused(command("explain", "evaluate", trained.folder, "--out", tmp_path / "file"))
    assert "--out: expected a folder, found a file" in message


def test_other_data_than_that_of_the_run_is_refused(command, copied, learnable, tmp_path):
    config = json.loads((copied / "config.json").read_text())
    (tmp_path / "other").mkdir()
    config["options"]["data"] = str(learnable(tmp_path / "other", 30))
    (copied / "config.json").write_text(json.dumps(config))
    assert "its contents have changed" in refused(command("explain", "evaluate", copied))


def test_slices_without_masks_are_refused(command, tmp_path, no_plots):
    rng = np.random.default_rng(0)
    for name in ("glioma", "meningioma"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(10):
            Image.fromarray(rng.integers(0, 256, (16, 16), np.uint8)).save(tmp_path / "images" / name / f"{number}.png")
    options = ["--size", "16", "--batch-size", "8", "--epochs", "1", "--out", tmp_path / "run"]
    assert command("train", tmp_path / "images", *options).status == 0
    message = refused(command("explain", "evaluate", tmp_path / "run"))
    assert "expected slices with tumour masks, found none" in message
