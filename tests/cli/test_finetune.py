"""`tinydnn finetune`, `features` and `weights`: their output, their files, and how a run is resumed."""

import json
import shutil

import h5py
import numpy as np
import pytest

from tinydnn.checkpoint import load_model
from tinydnn.models import NETWORKS

SMALL = ("--from", "squeezenet1_1", "--size", 48, "--batch-size", 16, "--head", "gap")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file with random weights of SqueezeNet's trunk, under PyTorch's names."""
    from tinydnn.weights.names import published_name

    path = tmp_path_factory.mktemp("weights") / "squeezenet.h5"
    trunk = NETWORKS["squeezenet1_1"].trunk(seed=3)
    table, data, begin = {}, [], 0
    for name, parameter in trunk.parameters().items():
        size = parameter.value.nbytes
        table[published_name(name)] = {
            "dtype": "F32",
            "shape": parameter.value.shape,
            "data_offsets": [begin, begin + size],
        }
        data.append(parameter.value.tobytes())
        begin += size
    header = json.dumps(table).encode()
    path = path.with_suffix(".safetensors")
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"".join(data))
    return path


@pytest.fixture(scope="module")
def finished(printed_by, slices, weights, tmp_path_factory):
    """The folder of a finished fine-tuning run, and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "adapted"
    options = ("--weights", weights, "--epochs", 2, "--unfreeze", "2:features.12", "--out", folder)
    return folder, printed_by("finetune", slices, *SMALL, *options)


def test_the_output_names_the_weights_and_the_phases(finished, weights):
    lines = finished[1].splitlines()
    loaded = next(line for line in lines if line.startswith("Weights: "))
    assert loaded.startswith(f"Weights: {weights}, 50 arrays of 722,496 elements loaded; unchanged: head.2")
    assert "From epoch 1: frozen to features; 512 features per slice, computed once" in lines
    assert "From epoch 2: frozen to features.11; 512 x 2 x 2 features per slice, computed once" in lines
    assert any(line.startswith("Computing or loading features took ") for line in lines)
    assert "95 % interval" in finished[1]


def test_the_folder_has_the_files_of_any_run(finished, trained):
    assert {path.name for path in finished[0].iterdir()} == {path.name for path in trained.folder.iterdir()}
    config = json.loads((finished[0] / "config.json").read_text())
    assert config["command"] == "finetune"
    assert config["normalisation"]["order"] == "RGB"


def test_the_model_predicts_and_is_evaluated(command, finished, slices):
    result = command("predict", finished[0] / "model.h5", slices / "1.mat")
    assert result.status == 0
    assert any(name in result.out for name in ("meningioma", "glioma", "pituitary"))
    assert command("evaluate", finished[0] / "model.h5", slices).status == 0


def test_a_complete_run_is_not_resumed_nor_taken_by_another_command(command, finished):
    assert "is complete already" in command("finetune", "--out", finished[0], "--resume").out
    result = command("train", "--out", finished[0], "--resume")
    assert result.status == 2
    assert "found something else (a run of `tinydnn finetune`, not of `tinydnn train`)" in result.err


def test_a_run_is_resumed_with_the_options_that_it_began_with(command, finished, tmp_path):
    copy = shutil.copytree(finished[0], tmp_path / "copy")
    (copy / "metrics.json").unlink()
    result = command("finetune", "--out", copy, "--resume", "--lr", 0.5)
    assert (result.status, "--lr: expected 0.001, with which the run in" in result.err) == (2, True)
    result = command("finetune", "--out", copy, "--resume", "--from", "vgg16")
    assert "--from: expected 'squeezenet1_1'" in result.err
    assert command("finetune", "--out", copy, "--resume").status == 0
    before, after = (json.loads((folder / "metrics.json").read_text()) for folder in (finished[0], copy))
    assert before["loss"] == pytest.approx(after["loss"], rel=1e-6)


def test_it_has_the_options_of_train_and_caches_no_augmented_features(command, slices, weights, tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('model = "squeezenet1_1"\nhead = "gap"\nsize = 48\nbatch_size = 16\nepochs = 2\n')
    changes = ("--rotate", 5, "--flip", "--crop", "head", "--views", 2, "--validation", 0.2, "--label-smoothing", 0.1)
    arguments = ("--recipe", recipe, "--weights", weights, "--epochs", 1, *changes, "--out", tmp_path / "run")
    result = command("finetune", slices, *arguments)
    assert (result.status, result.err) == (0, "")
    assert "to select the best epoch" in result.out
    assert "The slices are augmented, so the frozen layers are computed in every iteration" in result.out
    assert "computed once" not in result.out
    options = json.loads((tmp_path / "run" / "config.json").read_text())["options"]
    assert (options["epochs"], options["size"], options["augment"]) == (1, 48, "none,rotate=5,flip=1")
    assert (options["crop"], options["views"], options["label_smoothing"]) == ("head", 2, 0.1)
    assert command("finetune", slices, "--recipe", "paper", "--out", tmp_path / "other").status == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "none.pth"], "none.pth: expected weights as safetensors, PyTorch's .pth"),
        (["--weights", "random", "--unfreeze", "2:conv9"], "--unfreeze: expected one of features, head, features.0"),
        (["--weights", "random", "--freeze-to", "conv9"], "--freeze-to: expected one of features, head, features.0"),
        (["--weights", "random", "--size", 20], "squeezenet1_1: image size: expected more pixels for its poolings"),
        ([], "squeezenet1_1: expected its weights, found none on this computer; fetch them with `tinydnn weights"),
    ],
)
def test_invalid_options_are_reported(command, slices, tmp_path, arguments, words):
    result = command("finetune", slices, *SMALL, "--out", tmp_path / "run", *arguments)
    assert result.status == 2
    assert words in result.err
    assert len(result.err.splitlines()) <= 2
    assert "Traceback" not in result.err


def test_features_are_written_with_labels_patients_and_files(command, slices, weights, tmp_path):
    out = tmp_path / "f.h5"
    result = command("features", slices, *SMALL[:4], "--weights", weights, "--layer", "features.10", "-o", out)
    assert result.status == 0
    assert result.out.splitlines()[-1] == (
        f"60 slices of 21 patients: 384 x 2 x 2 features each, after features.10, in {out}"
    )
    with h5py.File(out) as file:
        assert file["feature"].shape == (60, 384, 2, 2)
        assert np.ptp(file["feature"][:]) > 0
        assert file["label"].shape == file["patient"].shape == file["file"].shape == (60,)
        assert file["file"].asstr()[0] == "1.mat"
        assert list(file.attrs["class_names"]) == ["meningioma", "glioma", "pituitary"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "lenet", "-o", "f.h5"], "--from: expected one of vgg16, alexnet, squeezenet1_1, found 'lenet'"),
        (["-o", "f.npz"], "--out: expected a name that ends in .h5 or .hdf5, found f.npz"),
        (
            ["--from", "squeezenet1_1", "--layer", "head", "-o", "f.h5"],
            "layer: expected one of features, features.0",
        ),
    ],
)
def test_invalid_options_of_features_are_reported(command, slices, weights, arguments, words):
    result = command("features", slices, "--weights", weights, *arguments)
    assert result.status == 2
    assert words in result.err


def test_weights_show_lists_the_arrays_of_a_file(command, weights):
    lines = command("weights", "show", weights).out.splitlines()
    assert lines[0].split() == ["features.0.weight", "64", "x", "3", "x", "3", "x", "3", "float32"]
    assert lines[-2] == "50 arrays, 722,496 elements; names as in torchvision"
    assert lines[-1] == "Images: RGB, divided by 255, minus (0.485, 0.456, 0.406), over (0.229, 0.224, 0.225)"


def test_weights_show_lists_models_trained_from_scratch(command, trained):
    result = command("weights", "show", trained.model)
    assert (result.status, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].split() == ["00-conv2d/weight", "16", "x", "1", "x", "3", "x", "3", "float32"]
    model = load_model(trained.model).model
    elements = sum(array.size for array in model.state().values())
    assert lines[-2] == f"{len(model.state())} arrays, {elements:,} elements; names as in tinydnn"
    assert lines[-1].startswith("Images: grey, minus ")
    assert command("weights", "show", trained.folder / "checkpoint.h5").out == result.out


def test_weights_download_prints_the_next_command(command, monkeypatch, tmp_path):
    monkeypatch.setattr("tinydnn.weights.download", lambda network, folder, progress: tmp_path / f"{network}.pth")
    lines = command("weights", "download", "vgg16").out.splitlines()
    assert lines[0] == f"{tmp_path / 'vgg16.pth'}, verified. Licence: BSD 3-Clause, as torchvision."
    assert lines[1] == "Use it with: tinydnn finetune DATA --from vgg16"
