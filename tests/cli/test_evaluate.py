"""`tinydnn evaluate`: metrics of a saved model, and overlap with its training patients."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tinydnn.checkpoint import load_model, save_model
from tinydnn.data.dataset import Dataset
from tinydnn.data.phantoms.matlab import write_slice
from tinydnn.data.prepare import prepare
from tinydnn.data.read import open_source
from tinydnn.data.split import split
from tinydnn.training.evaluation import evaluate as evaluate_model


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
    first, *table = result.out.splitlines()[:6]
    assert first == "60 slices of 21 patients"
    assert [line.split()[0] for line in table] == ["class", "meningioma", "glioma", "pituitary", "macro"]
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
        "were used to train the model or to select its epoch, which inflates these figures."
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
    assert line == "The model does not record its training patients; overlap would inflate these figures."
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
    assert line == "Not every slice has a patient id; overlap with the training set would inflate these figures."
    metrics = json.loads(command("evaluate", tmp_path / "m.h5", tmp_path / "images", "--json").out)
    assert (metrics["training_overlap"], metrics["interval_over"]) == (None, "slices")


def test_a_class_without_slices_has_no_recall(command, trained, learnable, tmp_path):
    learnable(tmp_path / "mats", 2)  # of one class
    metrics = json.loads(command("evaluate", trained.model, tmp_path / "mats", "--json").out)
    assert [row["recall"] is None for row in metrics["per_class"].values()] == [False, True, True]
    result = command("evaluate", trained.model, tmp_path / "mats")
    assert result.status == 0
    assert "No slices of glioma, pituitary in this data: without recall, and not in the averages\n" in result.out


@pytest.fixture
def image_folder(slices, tmp_path):
    """A function that writes the slices as a folder of images, one sub-folder per class, under these names."""

    def write(names):
        with open_source(slices) as source:
            for name in source.names:
                stored = source.read(name)
                pixels = np.round(255 * (stored.image / stored.image.max())).astype(np.uint8)
                target = tmp_path / "images" / names[stored.label - 1] / name.replace(".mat", ".png")
                target.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(target)
        return tmp_path / "images"

    return write


def test_classes_in_another_order_are_matched_by_name(command, trained, image_folder, slices, tmp_path):
    images = image_folder(["meningioma", "glioma", "pituitary"])  # sorted by name: glioma first
    on_images = json.loads(command("evaluate", trained.model, images, "--json").out)
    on_slices = json.loads(command("evaluate", trained.model, slices, "--json").out)
    assert list(on_images["per_class"]) == ["meningioma", "glioma", "pituitary"]
    assert on_images["accuracy"] == pytest.approx(on_slices["accuracy"], abs=0.02)  # the pixels are rounded twice
    model = replace(load_model(trained.model), class_names=("pituitary", "glioma", "meningioma"))
    save_model(tmp_path / "renamed.h5", model)
    renamed = json.loads(command("evaluate", tmp_path / "renamed.h5", slices, "--json").out)
    swapped = np.array(on_slices["confusion_matrix"])[[2, 1, 0]]
    assert renamed["confusion_matrix"] == swapped.tolist()


def test_an_unknown_class_is_refused_in_one_line_with_the_near_name(command, trained, image_folder):
    images = image_folder(["meningioma", "Glioma", "pituitary"])
    result = command("evaluate", trained.model, images)
    assert (result.status, result.out) == (2, "")
    assert result.err == (
        "tinydnn: images: expected slices of the classes meningioma, glioma, pituitary, "
        "found 21 of class 'Glioma'; names must be equal, and 'glioma' is near\n"
    )


def test_pids_and_patients_are_both_counted(command, trained, tmp_path):
    for number, pid in enumerate(["MR1B", "MR1D", "MR2"], start=1):
        write_slice(
            tmp_path / "mats" / f"{number}.mat",
            image=np.eye(16) * number, mask=np.eye(16), label=1, pid=pid, border=[1, 1],
        )  # fmt: skip
    result = command("evaluate", trained.model, tmp_path / "mats")
    assert result.out.startswith(
        "3 slices of 2 patients (3 PIDs; those that differ only in a final letter are one patient)\n"
    )
    assert "on 3 slices of 2 patients with 3 PIDs (95 %" in result.out
    metrics = json.loads(command("evaluate", trained.model, tmp_path / "mats", "--json").out)
    assert (metrics["patients"], metrics["pids"]) == (2, 3)


def test_out_writes_metrics_predictions_and_a_plot(command, trained, slices, tmp_path):
    out = tmp_path / "results"
    printed = command("evaluate", trained.model, slices, "--out", out)
    assert (printed.status, printed.err) == (0, "")
    assert printed.out.endswith(f"Metrics, predictions and plot are in {out}\n")
    assert sorted(path.name for path in out.iterdir()) == ["confusion-matrix.png", "metrics.json", "predictions.csv"]
    metrics = json.loads((out / "metrics.json").read_text())
    as_json = json.loads(command("evaluate", trained.model, slices, "--json").out)
    assert {key: metrics[key] for key in as_json} == as_json
    assert (metrics["model"], metrics["data"]) == (str(trained.model), slices.name)
    with (out / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    correct = sum(row["label"] == row["prediction"] for row in rows)
    assert (len(rows), correct / len(rows)) == (60, metrics["accuracy"])
    assert rows[0]["file"] == "1.mat"
    with Image.open(out / "confusion-matrix.png") as plot:
        assert plot.size[0] > 500


def test_results_are_replaced_with_overwrite_only(command, trained, slices, learnable, no_plots, tmp_path):
    learnable(tmp_path / "mats", 9)
    out = tmp_path / "results"
    assert command("evaluate", trained.model, slices, "--out", out).status == 0
    refused = command("evaluate", trained.model, tmp_path / "mats", "--out", out)
    assert (refused.status, refused.out) == (2, "")
    assert refused.err == f"tinydnn: --out: {out} holds results already; choose another folder, or --overwrite them\n"
    assert json.loads((out / "metrics.json").read_text())["slices"] == 60
    assert command("evaluate", trained.model, tmp_path / "mats", "--out", out, "--overwrite").status == 0
    assert json.loads((out / "metrics.json").read_text())["slices"] == 9
    assert len((out / "predictions.csv").read_text().splitlines()) == 10


def test_an_interrupted_overwrite_leaves_no_metrics(command, trained, slices, no_plots, monkeypatch, tmp_path):
    assert command("evaluate", trained.model, slices, "--out", tmp_path / "results").status == 0

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("tinydnn.runs.files.write_predictions", interrupt)
    assert command("evaluate", trained.model, slices, "--out", tmp_path / "results", "--overwrite").status == 130
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["predictions.csv"]  # the old one


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_the_folder_of_a_run_is_never_overwritten(command, trained, slices, options):
    before = (trained.folder / "metrics.json").read_text()
    result = command("evaluate", trained.model, slices, "--out", trained.folder, *options)
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "holds a training run; choose another folder" in result.err
    assert (trained.folder / "metrics.json").read_text() == before


def test_a_folder_that_a_run_has_taken_meanwhile_is_left_to_it(command, trained, slices, monkeypatch, tmp_path):
    def evaluate(*arguments, **options):
        (tmp_path / "config.json").write_text("{}")
        return evaluate_model(*arguments, **options)

    monkeypatch.setattr("tinydnn.training.evaluation.evaluate", evaluate)
    result = command("evaluate", trained.model, slices, "--out", tmp_path)
    assert result.status == 2
    assert "holds a training run; choose another folder" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_the_folder_of_a_cross_validation_is_never_overwritten(command, trained, slices, tmp_path):
    (tmp_path / "crossval.json").write_text("{}")
    result = command("evaluate", trained.model, slices, "--out", tmp_path, "--overwrite")
    assert result.status == 2
    assert "holds a cross-validation; choose another folder" in result.err


def test_overwrite_needs_a_folder(command, trained, slices):
    result = command("evaluate", trained.model, slices, "--overwrite")
    assert result.status == 2
    assert result.err == "tinydnn: --overwrite: expected the folder of the results as --out, found none\n"


def test_a_file_as_out_is_refused(command, trained, slices, tmp_path):
    (tmp_path / "a").write_text("")
    result = command("evaluate", trained.model, slices, "--out", tmp_path / "a")
    assert (result.status, result.err) == (2, f"tinydnn: --out: expected a folder, found a file at {tmp_path / 'a'}\n")
