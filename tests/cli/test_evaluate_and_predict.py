"""`tinydnn evaluate` and `tinydnn predict`: figures and classes from a saved model."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tinydnn.checkpoint import SavedModel, load_model, save_model
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.phantoms.matlab import write_slice
from tinydnn.data.prepare.convert import prepare
from tinydnn.data.prepare.crop import WHOLE, Crop
from tinydnn.data.read.sources import open_source
from tinydnn.data.split.holdout import split
from tinydnn.models import baseline_cnn

NOTE = "Not a medical device: for study only, never for a diagnosis."


@pytest.fixture
def held_out(trained, slices, tmp_path):
    """A folder of the very slices that the run had held out."""
    with open_source(slices) as source:
        dataset = Dataset.open(prepare(source, tmp_path / "all.h5", size=16))
    (tmp_path / "held-out").mkdir()
    for index in split(dataset.labels, dataset.patients).test:
        shutil.copy(slices / dataset.files[index], tmp_path / "held-out")
    return tmp_path / "held-out"


def test_the_held_out_slices_have_the_figures_that_training_wrote(command, trained, held_out):
    found = command("evaluate", trained.model, held_out, "--json")
    assert (found.status, found.err) == (0, "")
    metrics, trained_metrics = json.loads(found.out), json.loads((trained.folder / "metrics.json").read_text())
    for key in ("accuracy", "per_class", "macro", "confusion_matrix", "slices", "patients"):
        assert metrics[key] == trained_metrics[key], key
    assert metrics["loss"] == pytest.approx(trained_metrics["loss"], rel=1e-6)
    assert metrics["skipped"] == []


def test_a_checkpoint_can_be_evaluated_as_a_model(command, trained, slices):
    model = command("evaluate", trained.model, slices, "--json")
    assert command("evaluate", trained.folder / "checkpoint.h5", slices, "--json").out == model.out


def test_without_json_a_table_is_printed(command, trained, slices):
    found = command("evaluate", trained.model, slices)
    assert found.status == 0
    assert [line.split()[0] for line in found.out.splitlines()[:5]] == [
        "class", "meningioma", "glioma", "pituitary", "macro"
    ]  # fmt: skip
    assert "95 % interval" in found.out
    assert "on 60 slices of 21 patients" in found.out
    assert "if a patient of this data was among them, the figures flatter" in found.out


def test_broken_slices_are_left_out_when_asked_and_listed(command, trained, learnable, tmp_path):
    learnable(tmp_path / "mats", 3)
    (tmp_path / "mats" / "9.mat").write_bytes(b"broken")
    found = command("evaluate", trained.model, tmp_path / "mats", "--skip-broken")
    assert found.status == 0
    assert "Left out: 9.mat: " in found.out
    as_json = command("evaluate", trained.model, tmp_path / "mats", "--skip-broken", "--json")
    assert [name for name, _ in json.loads(as_json.out)["skipped"]] == ["9.mat"]


def test_a_class_that_does_not_occur_has_no_recall(command, trained, learnable, tmp_path):
    learnable(tmp_path / "mats", 2)  # of one class
    metrics = json.loads(command("evaluate", trained.model, tmp_path / "mats", "--json").out)
    assert [figures["recall"] is None for figures in metrics["per_class"].values()] == [False, True, True]
    assert command("evaluate", trained.model, tmp_path / "mats").status == 0


@pytest.fixture
def pictures(slices, tmp_path):
    """The same slice as .mat, PNG and JPEG, and a picture that is not square."""
    image = np.random.default_rng(0).integers(0, 255, (32, 32)).astype(np.uint8)
    write_slice(tmp_path / "a.mat", image=image, mask=image > 9, label=1, pid="MR1", border=[1, 1])
    Image.fromarray(image).save(tmp_path / "a.png")
    Image.fromarray(image).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(image[:20]).convert("RGB").save(tmp_path / "b [bold].png")
    return [tmp_path / name for name in ("a.mat", "a.png", "a.jpg", "b [bold].png")]


def test_predictions_as_json(command, trained, pictures):
    found = command("predict", trained.model, *pictures, "--json")
    assert (found.status, found.err) == (0, "")
    document = json.loads(found.out)
    assert document["note"] == NOTE
    assert [one["file"] for one in document["predictions"]] == [str(path) for path in pictures]
    for one in document["predictions"]:
        shares = one["probabilities"]
        assert list(shares) == ["meningioma", "glioma", "pituitary"]
        assert sum(shares.values()) == pytest.approx(1, abs=1e-6)
        assert one["class"] == max(shares, key=shares.get)
    assert document["predictions"][0]["probabilities"] == document["predictions"][1]["probabilities"]


def test_predictions_as_csv_with_the_note_beside_them(command, trained, pictures):
    found = command("predict", trained.model, *pictures, "--csv")
    assert (found.status, found.err) == (0, NOTE + "\n")
    rows = list(csv.reader(found.out.splitlines()))
    assert rows[0] == ["file", "class", "meningioma", "glioma", "pituitary"]
    as_json = json.loads(command("predict", trained.model, *pictures, "--json").out)["predictions"]
    assert [[one["file"], one["class"], *map(str, one["probabilities"].values())] for one in as_json] == rows[1:]


def test_predictions_as_text_end_with_the_note(command, trained, pictures):
    found = command("predict", trained.model, *pictures)
    assert found.status == 0
    lines = found.out.splitlines()
    assert len(lines) == 5
    assert lines[-1] == NOTE
    assert lines[3].startswith(f"{pictures[3]}: ")  # square brackets are no markup
    assert "%" in lines[0]


def test_a_slice_is_seen_as_it_was_in_training(command, trained, slices):
    files = sorted(slices.glob("*.mat"), key=lambda path: int(path.stem))
    found = json.loads(command("predict", trained.model, *files, "--json").out)["predictions"]
    matrix = json.loads(command("evaluate", trained.model, slices, "--json").out)["confusion_matrix"]
    named = [one["class"] for one in found]
    assert [named.count(name) for name in ("meningioma", "glioma", "pituitary")] == np.sum(matrix, axis=0).tolist()


def test_class_names_that_are_words_of_the_output_do_no_harm(command, pictures, tmp_path):
    model = baseline_cnn(image_size=16, classes=2)
    save_model(tmp_path / "m.h5", SavedModel(model, Normalisation("standard", 0.0, 1.0), ("file", "class")))
    found = json.loads(command("predict", tmp_path / "m.h5", pictures[0], "--json").out)["predictions"][0]
    assert found["file"] == str(pictures[0])
    assert list(found["probabilities"]) == ["file", "class"]


def test_a_file_name_of_any_bytes_can_be_printed(command, trained, pictures, tmp_path):
    odd = tmp_path / b"\xff.png".decode(errors="surrogateescape")
    shutil.copy(pictures[1], odd)
    found = command("predict", trained.model, odd)
    assert found.status == 0
    assert "\\udcff.png: " in found.out


def test_a_model_brings_its_crop_and_its_views_along(command, slices, pictures, tmp_path):
    names = ("meningioma", "glioma", "pituitary")
    for crop, views in ((WHOLE, 1), (WHOLE, 10), (Crop("tumour", 0.3), 2), (Crop("head"), 1)):
        path = tmp_path / f"{crop}-{views}.h5"
        save_model(
            path, SavedModel(baseline_cnn(image_size=16), Normalisation("standard", 60.0, 50.0), names, crop, views)
        )
        assert (load_model(path).crop, load_model(path).views) == (crop, views)
    files = sorted(slices.glob("*.mat"), key=lambda path: int(path.stem))
    seen = set()
    for path in sorted(tmp_path.glob("*.h5")):
        found = json.loads(command("predict", path, *files, "--json").out)["predictions"]
        figures = json.loads(command("evaluate", path, slices, "--json").out)
        named = [one["class"] for one in found]
        assert [named.count(name) for name in names] == np.sum(figures["confusion_matrix"], axis=0).tolist()
        assert figures["mask_used_at_test"] is path.name.startswith("tumour")
        seen.add(json.dumps(found))
    assert len(seen) == 3  # these slices show no air, so the head is all of them
    refused = command("predict", tmp_path / "tumour-0.3-2.h5", pictures[1])
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "--crop tumour: expected a mask of the tumour, found none" in refused.err
