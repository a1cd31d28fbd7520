"""`tinydnn predict`: classes and probabilities of single images."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tinydnn.checkpoint import SavedModel, load_model, save_model
from tinydnn.data.crop import WHOLE, Crop
from tinydnn.data.normalise import Normalisation
from tinydnn.data.phantoms.matlab import write_slice
from tinydnn.models import baseline_cnn

NOTE = "Not a medical device: for study only, never for a diagnosis."


@pytest.fixture
def images(tmp_path):
    """One image as .mat, PNG and JPEG, and an image that is not square."""
    image = np.random.default_rng(0).integers(0, 255, (32, 32)).astype(np.uint8)
    write_slice(tmp_path / "a.mat", image=image, mask=image > 9, label=1, pid="MR1", border=[1, 1])
    Image.fromarray(image).save(tmp_path / "a.png")
    Image.fromarray(image).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(image[:20]).convert("RGB").save(tmp_path / "b [bold].png")
    return [tmp_path / name for name in ("a.mat", "a.png", "a.jpg", "b [bold].png")]


def test_predictions_as_json(command, trained, images):
    result = command("predict", trained.model, *images, "--json")
    assert (result.status, result.err) == (0, "")
    document = json.loads(result.out)
    assert document["note"] == NOTE
    assert [prediction["file"] for prediction in document["predictions"]] == [str(path) for path in images]
    for prediction in document["predictions"]:
        probabilities = prediction["probabilities"]
        assert list(probabilities) == ["meningioma", "glioma", "pituitary"]
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-6)
        assert prediction["class"] == max(probabilities, key=probabilities.get)
    assert document["predictions"][0]["probabilities"] == document["predictions"][1]["probabilities"]


def test_predictions_as_csv_with_the_note_on_stderr(command, trained, images):
    result = command("predict", trained.model, *images, "--csv")
    assert (result.status, result.err) == (0, NOTE + "\n")
    rows = list(csv.reader(result.out.splitlines()))
    assert rows[0] == ["file", "class", "meningioma", "glioma", "pituitary"]
    as_json = json.loads(command("predict", trained.model, *images, "--json").out)["predictions"]
    assert [[p["file"], p["class"], *map(str, p["probabilities"].values())] for p in as_json] == rows[1:]


def test_predictions_as_text_end_with_the_note(command, trained, images):
    result = command("predict", trained.model, *images)
    assert result.status == 0
    lines = result.out.splitlines()
    assert len(lines) == 5
    assert lines[-1] == NOTE
    assert lines[3].startswith(f"{images[3]}: ")  # square brackets are not markup
    assert "%" in lines[0]


def test_predict_and_evaluate_agree(command, trained, slices):
    files = sorted(slices.glob("*.mat"), key=lambda path: int(path.stem))
    predictions = json.loads(command("predict", trained.model, *files, "--json").out)["predictions"]
    matrix = json.loads(command("evaluate", trained.model, slices, "--json").out)["confusion_matrix"]
    classes = [prediction["class"] for prediction in predictions]
    assert [classes.count(name) for name in ("meningioma", "glioma", "pituitary")] == np.sum(matrix, axis=0).tolist()


def test_class_names_may_equal_keys_of_the_output(command, images, tmp_path):
    model = baseline_cnn(image_size=16, classes=2)
    save_model(tmp_path / "m.h5", SavedModel(model, Normalisation("standard", 0.0, 1.0), ("file", "class")))
    prediction = json.loads(command("predict", tmp_path / "m.h5", images[0], "--json").out)["predictions"][0]
    assert prediction["file"] == str(images[0])
    assert list(prediction["probabilities"]) == ["file", "class"]


def test_a_file_name_that_is_not_utf8_can_be_printed(command, trained, images, tmp_path):
    odd = tmp_path / b"\xff.png".decode(errors="surrogateescape")
    shutil.copy(images[1], odd)
    result = command("predict", trained.model, odd)
    assert result.status == 0
    assert "\\udcff.png: " in result.out


def test_the_model_file_determines_crop_and_views(command, slices, images, tmp_path):
    names = ("meningioma", "glioma", "pituitary")
    for crop, views in ((WHOLE, 1), (WHOLE, 10), (Crop("tumour", 0.3), 2), (Crop("head"), 1)):
        path = tmp_path / f"{crop}-{views}.h5"
        save_model(
            path, SavedModel(baseline_cnn(image_size=16), Normalisation("standard", 60.0, 50.0), names, crop, views)
        )
        assert (load_model(path).crop, load_model(path).views) == (crop, views)
    files = sorted(slices.glob("*.mat"), key=lambda path: int(path.stem))
    distinct = set()
    for path in sorted(tmp_path.glob("*.h5")):
        predictions = json.loads(command("predict", path, *files, "--json").out)["predictions"]
        metrics = json.loads(command("evaluate", path, slices, "--json").out)
        classes = [prediction["class"] for prediction in predictions]
        assert [classes.count(name) for name in names] == np.sum(metrics["confusion_matrix"], axis=0).tolist()
        assert metrics["mask_used_at_test"] is path.name.startswith("tumour")
        distinct.add(json.dumps(predictions))
    assert len(distinct) == 3  # these slices have no border of air: cropping to the head changes nothing
    refused = command("predict", tmp_path / "tumour-0.3-2.h5", images[1])
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "--crop tumour: expected a mask of the tumour, found none" in refused.err
