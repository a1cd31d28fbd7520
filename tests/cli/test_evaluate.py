"""`tinydnn evaluate`: metrics of a saved model, and overlap with its training patients."""

import json
import shutil
from dataclasses import replace

import pytest
from PIL import Image

from tinydnn.checkpoint import load_model, save_model
from tinydnn.data.dataset import Dataset
from tinydnn.data.prepare import prepare
from tinydnn.data.read import open_source
from tinydnn.data.split import split


@pytest.fixture
def held_out(slices, tmp_path):
    """A folder of the slices that the run held out."""
    with open_source(slices) as source:
        dataset = Dataset.open(prepare(source, tmp_path / "all.h5", size=16))
    (tmp_path / "held-out").mkdir()
    for index in split(dataset.labels, dataset.patients).test:
        shutil.copy(slices / dataset.files[index], tmp_path / "held-out")
    return tmp_path / "held-out"


def test_evaluate_reproduces_the_metrics_of_the_run(command, trained, held_out):
    result = command("evaluate", trained.model, held_out, "--json")
    assert (result.status, result.err) == (0, "")
    metrics, trained_metrics = json.loads(result.out), json.loads((trained.folder / "metrics.json").read_text())
    for key in ("accuracy", "per_class", "macro", "confusion_matrix", "slices", "patients"):
        assert metrics[key] == trained_metrics[key], key
    assert metrics["loss"] == pytest.approx(trained_metrics["loss"], rel=1e-6)
    assert metrics["skipped"] == []


def test_a_checkpoint_is_evaluated_like_a_model(command, trained, slices):
    model = command("evaluate", trained.model, slices, "--json")
    assert command("evaluate", trained.folder / "checkpoint.h5", slices, "--json").out == model.out


def test_without_json_a_table_is_printed(command, trained, slices):
    result = command("evaluate", trained.model, slices)
    assert result.status == 0
    assert [line.split()[0] for line in result.out.splitlines()[:5]] == [
        "class", "meningioma", "glioma", "pituitary", "macro"
    ]  # fmt: skip
    assert "95 % interval" in result.out
    assert "on 60 slices of 21 patients" in result.out


def test_skipped_slices_are_listed(command, trained, learnable, tmp_path):
    learnable(tmp_path / "mats", 3)
    (tmp_path / "mats" / "9.mat").write_bytes(b"broken")
    result = command("evaluate", trained.model, tmp_path / "mats", "--skip-broken")
    assert result.status == 0
    assert "Left out: 9.mat: " in result.out
    as_json = command("evaluate", trained.model, tmp_path / "mats", "--skip-broken", "--json")
    assert [name for name, _ in json.loads(as_json.out)["skipped"]] == ["9.mat"]


def patients_line(result):
    """The line on training patients, the last one of `evaluate`."""
    assert (result.status, result.err) == (0, "")
    return result.out.splitlines()[-1]


def test_evaluate_counts_the_training_patients_in_the_data(command, trained, slices, held_out):
    metrics = json.loads((trained.folder / "metrics.json").read_text())
    train_slices, train_patients = (metrics["protocol"][name] for name in ("train_slices", "train_patients"))
    overlap = json.loads(command("evaluate", trained.model, slices, "--json").out)["training_overlap"]
    assert overlap["patients"] == train_patients
    assert train_slices < overlap["slices"] <= 60  # held-out slices of the same patients count too
    assert patients_line(command("evaluate", trained.model, slices)) == (
        f"{overlap['patients']} of 21 patients ({overlap['slices']} of 60 slices) "
        "were in the training set, which inflates these figures."
    )
    shared = metrics["protocol"]["test_slices_with_patient_in_training"]
    assert (
        json.loads(command("evaluate", trained.model, held_out, "--json").out)["training_overlap"]["slices"] == shared
    )


def test_validation_patients_count_as_training_patients(command, slices, tmp_path):
    options = "--size 16 --batch-size 8 --epochs 1 --split patient --validation 0.25 --out"
    assert command("train", slices, *options.split(), tmp_path / "run").status == 0
    protocol = json.loads((tmp_path / "run" / "metrics.json").read_text())["protocol"]
    assert protocol["validation_slices"] > 0
    result = command("evaluate", tmp_path / "run" / "model.h5", slices, "--json")
    assert json.loads(result.out)["training_overlap"] == {
        "patients": 21 - protocol["test_patients"],
        "slices": 60 - protocol["test_slices"],
    }


def test_evaluate_on_new_patients_reports_no_overlap(command, trained, learnable, tmp_path):
    learnable(tmp_path / "new", 6, first=90)
    line = patients_line(command("evaluate", trained.model, tmp_path / "new"))
    assert line == "No patient of this data was in the training set."
    metrics = json.loads(command("evaluate", trained.model, tmp_path / "new", "--json").out)
    assert metrics["training_overlap"] == {"patients": 0, "slices": 0}


def test_evaluate_of_a_model_without_recorded_patients_warns(command, trained, slices, tmp_path):
    saved = replace(load_model(trained.model), training_patients=None)
    save_model(tmp_path / "m.h5", saved)
    line = patients_line(command("evaluate", tmp_path / "m.h5", slices))
    assert line == "The model does not record its training patients; overlap inflates these figures."
    metrics = json.loads(command("evaluate", tmp_path / "m.h5", slices, "--json").out)
    assert metrics["training_overlap"] is None
    assert metrics["interval_over"] == "patients"


def test_evaluate_on_slices_without_patients_warns(command, trained, tmp_path):
    for name in ("meningioma", "glioma", "pituitary"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for shade in (50, 150):
            Image.new("L", (16, 16), shade).save(tmp_path / "images" / name / f"{shade}.png")
    model = replace(load_model(trained.model), class_names=("glioma", "meningioma", "pituitary"))
    save_model(tmp_path / "m.h5", model)
    line = patients_line(command("evaluate", tmp_path / "m.h5", tmp_path / "images"))
    assert line == "Not every slice has a patient id; overlap with the training set inflates these figures."
    metrics = json.loads(command("evaluate", tmp_path / "m.h5", tmp_path / "images", "--json").out)
    assert (metrics["training_overlap"], metrics["interval_over"]) == (None, "slices")


def test_a_class_without_slices_has_no_recall(command, trained, learnable, tmp_path):
    learnable(tmp_path / "mats", 2)  # of one class
    metrics = json.loads(command("evaluate", trained.model, tmp_path / "mats", "--json").out)
    assert [row["recall"] is None for row in metrics["per_class"].values()] == [False, True, True]
    assert command("evaluate", trained.model, tmp_path / "mats").status == 0
