"""`tinydnn explain`: pictures and figures of what each method finds relevant in an image."""

import json
import shutil

import h5py
import numpy as np
import pytest
from PIL import Image

from tinydnn.checkpoint import SavedModel, load_model, save_model
from tinydnn.checkpoint.images import prepare_image
from tinydnn.cli.explain import METHOD_HELP, named_methods
from tinydnn.data.crop import Crop
from tinydnn.data.normalise import TORCHVISION, Normalisation
from tinydnn.explain import METHODS, methods_for
from tinydnn.layers import Flatten, Linear, ReLU, Sequential
from tinydnn.models import baseline_cnn
from tinydnn.models.imagenet import NETWORKS
from tinydnn.models.regions import region_cnn

NAMES = ("meningioma", "glioma", "pituitary")
PLAIN = Normalisation("standard", 60.0, 50.0)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def size_of(path):
    with Image.open(path) as image:
        return image.size


def save(path, model, normalise=PLAIN, **options):
    save_model(path, SavedModel(model, normalise, NAMES, **options))
    return path


def test_a_picture_and_the_lines_of_an_image(command, trained, slices, here):
    result = command("explain", trained.model, slices / "1.mat", "--method", "grad-cam, saliency")
    assert (result.status, result.err) == (0, "")
    heading, pixels, *lines, picture, note = result.out.splitlines()
    assert heading.startswith(f"{slices / '1.mat'}: ")
    share = prepare_image(load_model(trained.model), slices / "1.mat", with_mask=True).mask.mean()
    assert pixels == f"  16 × 16 pixels, {share:.1%} of them inside the tumour"
    assert [line.split("  ")[1] for line in lines] == ["Grad-CAM", "Saliency"]
    assert all("maximum at row" in line or "no relevance anywhere" in line for line in lines)
    assert picture == "  picture: explanations/1.png"
    assert note == "Not a medical device: for study only, never for a diagnosis."
    width, height = size_of(here / "explanations" / "1.png")
    assert width > height > 300


def test_json_agrees_with_predict_and_writes_no_picture(command, trained, slices, here):
    images = [slices / "1.mat", slices / "7.mat"]
    document = json.loads(command("explain", trained.model, *images, "--json", "--method", "saliency").out)
    predictions = json.loads(command("predict", trained.model, *images, "--json").out)["predictions"]
    assert document["note"]
    assert document["errors"] == []
    for explanation, prediction in zip(document["explanations"], predictions, strict=True):
        assert {key: explanation[key] for key in prediction} == prediction
        assert explanation["explained"] == prediction["prediction"]
        assert explanation["picture"] is None
        found = explanation["methods"]["saliency"]
        assert all(0 <= place < 16 for place in found["maximum"])
        assert 0 < found["share_in_tumour"] < 1
        assert found["maximum_in_tumour"] in (True, False)
    assert not any(here.iterdir())
    again = command("explain", trained.model, images[0], "--json", "--method", "saliency", "--out", "a.svg")
    assert json.loads(again.out)["explanations"][0]["picture"] == "a.svg"
    assert (here / "a.svg").exists()


def test_shares_and_positions_are_those_of_the_maps(command, trained, slices):
    document = json.loads(command("explain", trained.model, slices / "1.mat", "--json", "--method", "saliency").out)
    found = document["explanations"][0]["methods"]["saliency"]
    saved = load_model(trained.model)
    image = prepare_image(saved, slices / "1.mat", with_mask=True)
    label = np.array([NAMES.index(document["explanations"][0]["prediction"])])
    relevance = METHODS["saliency"].maps(saved.model, image.x, label)[0]
    assert found["maximum"] == list(np.unravel_index(relevance.argmax(), relevance.shape))
    assert found["maximum_in_tumour"] == image.mask[tuple(found["maximum"])]
    assert found["share_in_tumour"] == pytest.approx(relevance[image.mask].sum() / relevance.sum(), rel=1e-6)


def test_an_image_without_mask_has_no_share(command, trained, slices, here):
    shutil.copy(slices / "1.mat", "no-mask.mat")
    with h5py.File("no-mask.mat", "r+") as file:
        del file["cjdata/tumorMask"]
    shutil.copy(slices / "1.mat", "empty-mask.mat")
    with h5py.File("empty-mask.mat", "r+") as file:
        file["cjdata/tumorMask"][...] = 0
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (20, 30)).astype(np.uint8)).save("grey.png")
    Image.fromarray(rng.integers(0, 255, (20, 30, 3)).astype(np.uint8)).save("colour.jpg")
    names = ["no-mask.mat", "empty-mask.mat", "grey.png", "colour.jpg"]
    result = command("explain", trained.model, *names, "--json", "--method", "saliency", "--out", "out")
    assert (result.status, result.err) == (0, "")
    for name, explanation in zip(names, json.loads(result.out)["explanations"], strict=True):
        found = explanation["methods"]["saliency"]
        assert (found["share_in_tumour"], found["maximum_in_tumour"]) == (None, None), name
        assert (explanation["pixels"], explanation["tumour_share"]) == ([16, 16], None), name
    assert "inside" not in command("explain", trained.model, "grey.png").out


@pytest.mark.parametrize("name", NAMES)
def test_another_class_than_the_predicted_one(command, trained, slices, name):
    result = command("explain", trained.model, slices / "1.mat", "--class", name, "--json", "--method", "saliency")
    explanation = json.loads(result.out)["explanations"][0]
    assert explanation["explained"] == name


def test_the_text_names_a_class_that_was_asked_for(command, trained, slices, here):
    predicted = json.loads(command("predict", trained.model, slices / "1.mat", "--json").out)["predictions"][0]
    other = next(name for name in NAMES if name != predicted["prediction"])
    result = command("explain", trained.model, slices / "1.mat", "--class", other)
    assert result.out.splitlines()[0].endswith(f"; explained: {other}")


def test_methods_are_taken_in_order_and_once(trained):
    model = load_model(trained.model).model
    assert named_methods(model, "grad-cam, saliency,grad-cam") == [METHODS["grad-cam"], METHODS["saliency"]]


def models(here):
    rng = np.random.default_rng(0)
    linear = [Flatten(), Linear(256, 8, rng=rng), ReLU(), Linear(8, 3, rng=rng)]
    return {
        "baseline": save(here / "baseline.h5", baseline_cnn(image_size=16)),
        "linear": save(here / "linear.h5", Sequential(*linear, input_shape=(1, 16, 16))),
        "regions": save(here / "regions.h5", region_cnn(image_size=16), views=10, crop=Crop("tumour", 0.3)),
        "squeezenet": save(
            here / "squeezenet.h5", NETWORKS["squeezenet1_1"].whole(image_size=48, classes=3), TORCHVISION
        ),
    }


def test_by_default_up_to_four_methods_that_can_explain_the_model(command, slices, here):
    for name, path in models(here).items():
        result = command("explain", path, slices / "1.mat", "--json")
        assert (result.status, result.err) == (0, "")
        used = set(json.loads(result.out)["explanations"][0]["methods"])
        assert len(used) == 4
        assert used <= {method.name for method in methods_for(load_model(path).model)}
        assert ("regions" in used, "grad-cam" in used) == (name == "regions", name != "linear")


def test_a_network_that_has_learned_from_masks_is_called_that(command, slices, here):
    for name, path in models(here).items():
        arguments = ["explain", path, slices / "1.mat", "--method", "saliency", "--out", f"{name}.svg"]
        learned = name == "regions"
        assert ("The network has learned from tumour masks" in command(*arguments).out) == learned
        assert ("learned from tumour masks" in (here / f"{name}.svg").read_text()) == learned
        document = json.loads(command(*arguments, "--json", "--overwrite").out)["explanations"][0]
        assert document["learned_from_masks"] == learned


def test_the_help_names_every_method():
    assert METHOD_HELP.split(": ")[1].split(";")[0].split(", ") == list(METHODS)


def test_a_cam_of_a_model_without_convolution_is_refused_in_one_line(command, slices, here):
    result = command("explain", models(here)["linear"], slices / "1.mat", "--method", "grad-cam")
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.err.startswith("tinydnn: --method: expected what can explain this model (saliency, ")
    assert result.err.endswith(", found grad-cam\n")
    assert not (here / "explanations").exists()


def test_the_error_of_completeness_is_printed(command, trained, slices, here):
    arguments = ["explain", trained.model, slices / "1.mat", "--method", "integrated-gradients"]
    (line,) = [line for line in command(*arguments).out.splitlines() if "Integrated gradients" in line]
    assert "error of completeness" in line
    document = json.loads(command(*arguments, "--json").out)
    assert line.endswith(document["explanations"][0]["methods"]["integrated-gradients"]["note"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "gradcam"], f"method: expected one of {', '.join(METHODS)}, found 'gradcam'"),
        (["--method", ""], "method: expected one of"),
        (["--method", "saliency,"], "method: expected one of"),
        (["--layer", "99-relu"], "layer: expected one of 00-conv2d, 01-relu"),
        (["--layer", "relu"], "layer: expected one of 00-conv2d, 01-relu"),
        (["--layer", "12-flatten"], "layer 12-flatten: expected a feature map (N, C, H, W), found an output of shape"),
        (["--layer", "01-relu", "--method", "saliency"], "--layer: expected a method that takes a layer (grad-cam"),
        (["--class", "astrocytoma"], "--class: expected one of meningioma, glioma, pituitary, found 'astrocytoma'"),
        (["--out", "a.jpg"], "--out: expected a name that ends in .png, .svg or .pdf, found a.jpg"),
        (["--out", "taken"], "--out: expected a folder or a picture, found the file taken"),
        (["--out", "old.png"], "--out: expected a new file, found old.png; choose another name, or --overwrite it"),
        (["--out", "old"], "--out: expected a new file, found old/1.png; choose another name, or --overwrite it"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_line(command, trained, slices, here, options, message):
    (here / "old").mkdir()
    for name in ("taken", "old.png", "old/1.png"):
        (here / name).write_text("mine")
    result = command("explain", trained.model, slices / "1.mat", *options)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.err.startswith(f"tinydnn: {message}")
    assert {(here / name).read_text() for name in ("taken", "old.png", "old/1.png")} == {"mine"}
    assert not (here / "explanations").exists()


def test_an_existing_picture_is_replaced_on_request(command, trained, slices, here):
    (here / "old.png").write_text("mine")
    arguments = [slices / "1.mat", "--method", "saliency", "--out", "old.png"]
    assert command("explain", trained.model, *arguments, "--overwrite").status == 0
    assert size_of(here / "old.png")


def test_one_file_for_several_images_is_refused(command, trained, slices, here):
    result = command("explain", trained.model, slices / "1.mat", slices / "2.mat", "--out", "a.png")
    assert result.err == "tinydnn: --out: expected a folder for 2 images, found the picture a.png\n"


def test_images_of_one_name_have_pictures_of_their_own_in_a_folder_with_a_dot(command, trained, slices, here):
    for folder in ("a", "b"):
        (here / folder).mkdir()
        shutil.copy(slices / "1.mat", here / folder)
    result = command("explain", trained.model, "a", "b", "--method", "saliency", "--out", "results.v2")
    assert result.status == 0
    assert sorted(path.name for path in (here / "results.v2").iterdir()) == ["1-2.png", "1.png"]


def test_a_bad_image_does_not_discard_the_others(command, trained, slices, here):
    (here / "text.png").write_text("hello")
    shutil.copy(slices / "1.mat", "bad-mask.mat")
    with h5py.File("bad-mask.mat", "r+") as file:
        del file["cjdata/tumorMask"]
        file["cjdata/tumorMask"] = np.zeros((3, 3), np.uint8)
    files = ["text.png", slices / "1.mat", "none.mat", "bad-mask.mat"]
    result = command("explain", trained.model, *files, "--method", "saliency")
    assert result.status == 2
    assert result.err == (
        "tinydnn: text.png: expected a PNG or JPEG image, found something else\n"
        "tinydnn: none.mat: expected a .mat file, found no such file\n"
        "tinydnn: bad-mask.mat: cjdata.tumorMask: expected the image's (32, 32) pixels, found (3, 3)\n"
    )
    assert [path.name for path in (here / "explanations").iterdir()] == ["1.png"]


def test_a_model_for_other_images_is_refused_once(command, slices, here):
    colour = Sequential(Flatten(), Linear(768, 3, rng=np.random.default_rng(0)), input_shape=(3, 16, 16))
    result = command("explain", save(here / "m.h5", colour), slices / "1.mat", slices / "2.mat")
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "expected square input images of one channel, found input shape (3, 16, 16)" in result.err


def test_a_file_name_that_is_not_utf8_can_be_drawn(command, trained, slices, here):
    odd = b"\xff $x$.mat".decode(errors="surrogateescape")
    shutil.copy(slices / "1.mat", odd)
    result = command("explain", trained.model, odd, "--method", "saliency", "--out", "a.svg")
    assert result.status == 0
    assert (here / "a.svg").exists()
