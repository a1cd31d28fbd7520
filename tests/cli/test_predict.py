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
        assert prediction["prediction"] == max(probabilities, key=probabilities.get)
    assert document["predictions"][0]["probabilities"] == document["predictions"][1]["probabilities"]


def test_predictions_as_csv_with_the_note_on_stderr(command, trained, images):
    result = command("predict", trained.model, *images, "--csv")
    assert (result.status, result.err) == (0, NOTE + "\n")
    rows = list(csv.reader(result.out.splitlines()))
    assert rows[0] == ["file", "prediction", "meningioma", "glioma", "pituitary"]
    as_json = json.loads(command("predict", trained.model, *images, "--json").out)["predictions"]
    assert [[p["file"], p["prediction"], *map(str, p["probabilities"].values())] for p in as_json] == rows[1:]


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
    classes = [prediction["prediction"] for prediction in predictions]
    assert [classes.count(name) for name in ("meningioma", "glioma", "pituitary")] == np.sum(matrix, axis=0).tolist()


def test_class_names_may_equal_keys_of_the_output(command, images, tmp_path):
    model = baseline_cnn(image_size=16, classes=2)
    save_model(tmp_path / "m.h5", SavedModel(model, Normalisation("standard", 0.0, 1.0), ("file", "prediction")))
    prediction = json.loads(command("predict", tmp_path / "m.h5", images[0], "--json").out)["predictions"][0]
    assert prediction["file"] == str(images[0])
    assert list(prediction["probabilities"]) == ["file", "prediction"]


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
        classes = [prediction["prediction"] for prediction in predictions]
        assert [classes.count(name) for name in names] == np.sum(metrics["confusion_matrix"], axis=0).tolist()
        assert metrics["mask_used_at_test"] is path.name.startswith("tumour")
        distinct.add(json.dumps(predictions))
    assert len(distinct) == 3  # these slices have no border of air: cropping to the head changes nothing
    refused = command("predict", tmp_path / "tumour-0.3-2.h5", images[1])
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "--crop tumour: expected a mask of the tumour, found none" in refused.err


@pytest.fixture
def folder(images, tmp_path):
    """A folder with images, also in a sub-folder, with other files and with a broken image."""
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for name in ("10.png", "9.png", "sub/1.jpg"):
        shutil.copy(images[1 if name.endswith("png") else 2], folder / name)
    shutil.copy(images[0], folder / "11.MAT")
    (folder / ".thumbnails").mkdir()
    shutil.copy(images[1], folder / ".thumbnails")
    for name in ("cvind.mat", "notes.txt", ".hidden.png"):
        (folder / name).write_text("hello")
    (folder / "9b.png").write_text("hello")
    return folder


def test_a_folder_stands_for_its_images_in_natural_order(command, trained, folder):
    (folder / "9b.png").unlink()
    result = command("predict", trained.model, folder, "--json")
    assert (result.status, result.err) == (0, "")
    document = json.loads(result.out)
    assert document["errors"] == []
    names = ["9.png", "10.png", "11.MAT", "sub/1.jpg"]
    assert [prediction["file"] for prediction in document["predictions"]] == [str(folder / name) for name in names]


def test_a_bad_file_does_not_discard_the_other_answers(command, trained, images, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    arguments = [tmp_path / "none.png", images[0], tmp_path / "empty", folder]
    reasons = [
        f"{tmp_path / 'none.png'}: cannot be read (No such file or directory)",
        f"{tmp_path / 'empty'}: expected .mat, PNG or JPEG images, found none",
        f"{folder / '9b.png'}: expected a PNG or JPEG image, found something else",
    ]
    lines = "".join(f"tinydnn: {reason}\n" for reason in reasons)
    text = command("predict", trained.model, *arguments)
    assert (text.status, text.err, len(text.out.splitlines())) == (2, lines, 6)
    as_csv = command("predict", trained.model, *arguments, "--csv")
    assert (as_csv.status, as_csv.err, len(as_csv.out.splitlines())) == (2, f"{lines}{NOTE}\n", 6)
    as_json = command("predict", trained.model, *arguments, "--json")
    assert (as_json.status, as_json.err) == (2, lines)
    document = json.loads(as_json.out)
    assert len(document["predictions"]) == 5
    assert [entry["error"] for entry in document["errors"]] == reasons
    assert [entry["file"] for entry in document["errors"]] == [
        str(tmp_path / "none.png"), str(tmp_path / "empty"), str(folder / "9b.png")
    ]  # fmt: skip


def test_the_other_images_do_not_change_a_prediction(command, trained, images):
    alone = json.loads(command("predict", trained.model, images[2], "--json").out)["predictions"]
    among = json.loads(command("predict", trained.model, *images, "--json").out)["predictions"]
    assert among[2:3] == alone
