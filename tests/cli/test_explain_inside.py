"""`tinydnn explain maps, filters, maximise, nearest`: pictures of what is inside a network."""

import pytest
from PIL import Image

from tinydnn.checkpoint import SavedModel, load_model, save_model
from tinydnn.checkpoint.patients import hash_patient
from tinydnn.data.normalise import TORCHVISION
from tinydnn.models.imagenet import NETWORKS


@pytest.fixture
def here(tmp_path, monkeypatch, trained, slices):
    """A folder with a model, a SqueezeNet, and slices."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.h5").symlink_to(trained.model)
    (tmp_path / "slices").symlink_to(slices)
    squeezenet = NETWORKS["squeezenet1_1"].whole(image_size=48, classes=2)
    save_model(tmp_path / "squeezenet.h5", SavedModel(squeezenet, TORCHVISION, ("a", "b")))
    (tmp_path / "few").mkdir()
    for number in (1, 2, 3):
        (tmp_path / "few" / f"{number}.mat").symlink_to(slices / f"{number}.mat")
    (tmp_path / "text.png").write_text("hello")
    return tmp_path


def drawn(path):
    with Image.open(path) as image:
        return min(image.size) > 100


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("maps model.h5 slices/1.mat --layer 01-relu", "layer 01-relu: 16 channels of 16 × 16"),
        (
            "maps squeezenet.h5 slices/1.mat --layer features.3/squeeze",
            "layer features.3/squeeze: 16 channels of 11 × 11",
        ),
        ("filters model.h5", "layer 00-conv2d: 16 filters of 3 × 3 over 1 input channel, in picture.png"),
        ("filters model.h5 --layer 03-conv2d", "layer 03-conv2d: 32 filters of 3 × 3 over 16 input channels"),
        ("filters squeezenet.h5 --layer features.3/squeeze", "16 filters of 1 × 1 over 64 input channels"),
        ("maximise model.h5 --steps 3 --class glioma", "glioma: score"),
        ("maximise squeezenet.h5 --steps 2", "b: score"),
        ("maximise model.h5 --steps 3 --layer 04-relu --channel 31", "04-relu, channel 31: score"),
        ("nearest model.h5 slices/1.mat slices", "of 128 features:"),
        ("nearest squeezenet.h5 slices/1.mat slices -n 1 --metric euclidean", "by euclidean distance of 512 features:"),
    ],
)
def test_each_command_draws_a_picture(command, here, line, printed):
    result = command("explain", *line.split(), "--out", "picture.png")
    assert (result.status, result.err) == (0, "")
    assert printed in result.out
    assert drawn("picture.png")


def test_each_command_has_a_default_picture_and_replaces_one_on_request(command, here):
    for line, name in (
        ("maps model.h5 slices/1.mat --layer 01-relu", "feature-maps.png"),
        ("filters model.h5", "filters.png"),
        ("maximise model.h5 --steps 1", "maximised.png"),
        ("nearest model.h5 slices/1.mat slices", "nearest.png"),
    ):
        (here / name).write_text("mine")
        result = command("explain", *line.split())
        expected = f"tinydnn: --out: expected a new file, found {name}; choose another name, or --overwrite it\n"
        assert (result.status, result.out, result.err) == (2, "", expected)
        assert (here / name).read_text() == "mine"
        assert command("explain", *line.split(), "--overwrite").status == 0
        assert drawn(name)


def test_the_nearest_slices_are_of_training_patients(command, here):
    result = command("explain", "nearest", "model.h5", "slices/1.mat", "slices", "-n", "7")
    trained_on = load_model("model.h5").training_patients
    lines = result.out.splitlines()
    assert lines[1].endswith("by cosine distance of 128 features:")
    known = [number for number in range(1, 61) if hash_patient(f"MR{number // 3:05d}") in trained_on]
    assert len(known) < 60
    assert f"The nearest of {len(known)} slices of training patients" in lines[1]
    neighbours = lines[2:9]
    assert all("patient MR" in line and ".mat" in line for line in neighbours)
    distances = [float(line.split()[0]) for line in neighbours]
    assert distances == sorted(distances)
    assert sum(int(part.split()[0]) for part in lines[9].split(", ")) == 7
    assert lines[-1] == "Not a medical device: for study only, never for a diagnosis."


def test_slices_of_other_patients_are_not_searched(command, here, learnable):
    (here / "mixed").mkdir()
    learnable(here / "mixed", 6, first=100)
    for number in range(1, 13):
        (here / "mixed" / f"{number}.mat").symlink_to(here / "slices" / f"{number}.mat")
    result = command("explain", "nearest", "model.h5", "mixed/102.mat", "mixed", "-n", "3")
    files = [line.split()[-1] for line in result.out.splitlines()[2:5]]
    assert len(files) == 3
    assert all(int(file.removesuffix(".mat")) < 100 for file in files)  # not even the image itself


def test_a_slice_of_the_training_set_is_nearest_to_itself(command, here):
    own = set()
    for number in range(1, 61):
        result = command("explain", "nearest", "model.h5", f"slices/{number}.mat", "slices", "-n", "1", "--overwrite")
        distance, _, _, _, file = result.out.splitlines()[2].split()
        if file == f"{number}.mat":
            own.add(number)
            assert float(distance) == 0
        if len(own) == 3:
            break
    assert len(own) == 3


def test_a_file_name_that_is_not_utf8_can_be_drawn(command, here):
    odd = here / b"\xff.mat".decode(errors="surrogateescape")
    odd.symlink_to(here / "slices" / "1.mat")
    for line in (["maps", "model.h5", odd, "--layer", "01-relu"], ["nearest", "model.h5", odd, "slices"]):
        assert command("explain", *line, "--out", "odd.svg", "--overwrite").status == 0
        assert "\\udcff.mat" in (here / "odd.svg").read_text()


def test_feature_maps_name_the_image_and_the_outline(command, here):
    command("explain", "maps", "model.h5", "slices/1.mat", "--layer", "01-relu", "--out", "maps.svg")
    text = (here / "maps.svg").read_text()
    assert "1.mat, layer 01-relu: 16 channels of 16 × 16" in text
    assert "The outline is the tumour mask." in text


def test_unknown_training_patients_are_said(command, here):
    result = command("explain", "nearest", "squeezenet.h5", "slices/1.mat", "slices")
    assert "The nearest of 60 slices, of which none is known to be trained on, by cosine" in result.out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("maps model.h5 slices/1.mat", "Missing option '--layer'"),
        ("maps model.h5 slices/1.mat --layer nope", "layer: expected one of 00-conv2d"),
        (
            "maps squeezenet.h5 slices/1.mat --layer features.3/nope",
            "layer: expected one of 00-squeeze, 01-relu, 02-concat",
        ),
        ("maps model.h5 slices/1.mat --layer 13-linear", "layer 13-linear: expected a feature map (N, C, H, W)"),
        ("maps model.h5 text.png --layer 01-relu", "text.png: expected a PNG or JPEG image, found something else"),
        (
            "maps text.png slices/1.mat --layer 01-relu",
            "text.png: expected a tinydnn model, found another kind of file",
        ),
        ("maps model.h5 slices/1.mat --layer 01-relu --out a.jpg", "--out: expected a name that ends in .png, .svg or"),
        ("filters model.h5 --layer 01-relu", "layer 01-relu: expected a convolution (00-conv2d, 03-conv2d"),
        ("filters model.h5 slices", "slices"),
        ("maximise model.h5 --class cat", "--class: expected one of meningioma, glioma, pituitary, found 'cat'"),
        (
            "maximise model.h5 --layer 01-relu",
            "--class, --layer, --channel: expected a class, or a layer with a channel, found --layer",
        ),
        ("maximise model.h5 --channel 1", "--class, --layer, --channel: expected a class, or a layer with a"),
        (
            "maximise model.h5 --class glioma --layer 01-relu --channel 1",
            "--class, --layer, --channel: expected a class, or a layer with a channel, found --class and --layer and",
        ),
        ("maximise model.h5 --layer 01-relu --channel 16", "channel: expected 0 to 15, found 16"),
        ("maximise model.h5 --layer 01-relu --channel -1", "channel: expected 0 to 15, found -1"),
        ("maximise model.h5 --steps 0", "--steps"),
        ("nearest model.h5 slices/1.mat", "Missing argument"),
        ("nearest model.h5 slices/1.mat nowhere", "nowhere: expected a folder of .mat files"),
        ("nearest model.h5 text.png slices", "text.png: expected a PNG or JPEG image, found something else"),
        ("nearest model.h5 slices/1.mat slices --metric l7", "--metric: expected one of cosine, euclidean, found 'l7'"),
        ("nearest model.h5 slices/1.mat slices -n 0", "-n"),
        ("nearest model.h5 slices/1.mat few -n 4", "-n: expected at most 3, the number of slices to search, found 4"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(command, here, line, message):
    result = command("explain", *line.split())
    assert result.status == 2
    assert result.err.startswith("tinydnn: ")
    assert 1 <= result.err.count("\n") <= 2
    assert message in result.err
    assert {path.name for path in here.glob("*.png")} == {"text.png"}
