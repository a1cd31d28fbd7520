"""Model files: what is written is read back; whatever else is read is told in one line; nothing in a file is run."""

import json
import os

import h5py
import numpy as np
import pytest

from tinydnn import SGD
from tinydnn.checkpoint import SavedModel, load_checkpoint, load_model, save_checkpoint, save_model
from tinydnn.checkpoint.sealed import _digest
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.errors import InputError
from tinydnn.layers import (
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
)
from tinydnn.models import MODELS
from tinydnn.optim import constant
from tinydnn.training.trainer import Trainer

NAMES = ("meningioma", "glioma", "pituitary")
NORMALISE = Normalisation("standard", 0.1 + 0.2, 1 / 3)


def some_model(name="batchnorm", seed=3):
    """A model whose buffers are not those it begins with."""
    model = MODELS[name](image_size=16, seed=seed)
    model(np.random.default_rng(0).standard_normal((4, 1, 16, 16)).astype(np.float32), training=True)
    return model


def small_model(classes=3):
    """The beginning and the end of the second model."""
    draw = np.random.default_rng(0)
    return Sequential(
        Conv2d(1, 16, 3, padding=1, rng=draw), BatchNorm2d(16), ReLU(), MaxPool2d(2), GlobalAvgPool2d(),
        Dropout(0.5, rng=draw), Linear(16, classes, rng=draw), input_shape=(1, 16, 16),
    )  # fmt: skip


@pytest.fixture
def path(tmp_path):
    """The file of a good model."""
    save_model(tmp_path / "model.h5", SavedModel(small_model(), NORMALISE, NAMES))
    return tmp_path / "model.h5"


def some_trainer():
    images = np.zeros((8, 1, 16, 16), np.uint8)
    dataset = Dataset(images, np.arange(8) % 3, np.array([""] * 8), NAMES)
    model = small_model()
    return Trainer(
        model, SGD(model.parameters(), lr=0.1, momentum=0.9), constant(0.1), dataset, NORMALISE,
        train=np.arange(4), watch=np.arange(4, 8), batch_size=2, epochs=1, seed=0,
    )  # fmt: skip


def refused(path, read=load_model):
    """The message with which a file is refused: one line that begins with the path."""
    with pytest.raises(InputError) as error:
        read(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def resealed(path, change):
    """Change a file as somebody would who knows how it is sealed."""
    with h5py.File(path, "r+") as file:
        change(file)
        file.attrs["digest"] = _digest(file)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_saved_is_what_is_loaded(name, tmp_path):
    model = some_model(name)
    save_model(tmp_path / "new" / "model.h5", SavedModel(model, NORMALISE, NAMES))
    loaded = load_model(tmp_path / "new" / "model.h5")
    assert (loaded.normalise, loaded.class_names, loaded.size) == (NORMALISE, NAMES, 16)
    assert list(loaded.model.state()) == list(model.state())
    for key, array in model.state().items():
        assert loaded.model.state()[key].dtype == array.dtype
        assert np.array_equal(loaded.model.state()[key], array), key
    x = np.random.default_rng(1).standard_normal((2, 1, 16, 16)).astype(np.float32)
    assert np.array_equal(loaded.model.predict(x), model.predict(x))
    assert [layer.config() for layer in loaded.model.layers] == [layer.config() for layer in model.layers]


def test_layers_with_every_argument_come_back(tmp_path):
    draw = np.random.default_rng(0)
    model = Sequential(
        Conv2d(1, 2, 3, stride=2, padding=2, bias=False, rng=draw), Sigmoid(), AvgPool2d(3, stride=1), MaxPool2d(2),
        ReLU(), Flatten(), Linear(2 * 3 * 4, 2, rng=draw), input_shape=(1, 13, 17),
    )  # fmt: skip
    save_model(tmp_path / "m.h5", SavedModel(model, NORMALISE, ("a", "b")))
    loaded = load_model(tmp_path / "m.h5")
    x = draw.standard_normal((2, 1, 13, 17)).astype(np.float32)
    assert np.array_equal(loaded.model.predict(x), model.predict(x))
    with pytest.raises(InputError, match=r"square pictures of one channel, found input shape \(1, 13, 17\)"):
        _ = loaded.size


def test_a_model_file_is_plain_hdf5(path):
    with h5py.File(path) as file:
        assert file.attrs["format"] == "tinydnn-model"
        assert file.attrs["version"] == 1
        assert file["layers/00-conv2d/weight"].shape == (16, 1, 3, 3)
        assert file["layers/00-conv2d"].attrs["kind"] == "Conv2d"
        assert json.loads(file["layers/00-conv2d"].attrs["arguments"])["kernel_size"] == 3
        assert json.loads(file.attrs["class_names"]) == list(NAMES)
        kinds = []
        file.visititems(lambda name, item: kinds.append(getattr(item, "dtype", np.dtype(np.float32)).kind))
    assert set(kinds) == {"f"}  # no pickled objects, no references


def test_more_than_ten_layers_come_back_in_order(tmp_path):
    layers = [Linear(4, 4, rng=np.random.default_rng(k)) for k in range(12)]
    model = Sequential(Flatten(), *layers, input_shape=(1, 2, 2))
    save_model(tmp_path / "m.h5", SavedModel(model, NORMALISE, ("a", "b", "c", "d")))
    x = np.ones((1, 1, 2, 2), np.float32)
    assert np.array_equal(load_model(tmp_path / "m.h5").model.predict(x), model.predict(x))


class OwnReLU(ReLU):
    """A layer that only its author knows."""


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (Sequential(OwnReLU(), input_shape=(1, 2, 2)), TypeError, "00-ownrelu: expected a layer that a file"),
        (
            Sequential(Sequential(OwnReLU()), input_shape=(1, 2, 2)),
            TypeError,
            "00-sequential/00-ownrelu: expected a layer",
        ),
        (Sequential(ReLU()), ValueError, "expected an input_shape"),
    ],
)
def test_a_model_that_could_not_be_read_again_is_not_written(model, error, words, tmp_path):
    with pytest.raises(error, match=words):
        save_model(tmp_path / "m.h5", SavedModel(model, NORMALISE, NAMES))
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr("tinydnn.checkpoint.sealed._digest", lambda file: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_model(path, SavedModel(some_model(seed=4), NORMALISE, NAMES))
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["model.h5"]


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert "expected a whole tinydnn model" in refused(path)


def test_flipped_bytes_change_nothing_or_are_found(path):
    good, data = load_model(path), path.read_bytes()
    rng, found = np.random.default_rng(0), 0
    for _ in range(100):
        broken = bytearray(data)
        broken[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        try:
            loaded = load_model(path)
        except InputError:
            found += 1
        else:
            assert (loaded.normalise, loaded.class_names) == (good.normalise, good.class_names)
            for key, array in good.model.state().items():
                assert np.array_equal(loaded.model.state()[key], array)
    assert 15 < found < 100  # the small file is mostly room between its parts


def test_a_flipped_bit_of_a_weight_is_found(path):
    with h5py.File(path) as file:
        offset = file["layers/00-conv2d/weight"].id.get_offset()
    data = bytearray(path.read_bytes())
    data[offset + 5] ^= 1
    path.write_bytes(data)
    assert "do not match their digest, so it was altered or damaged" in refused(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: file.attrs.__setitem__("class_names", '["a", "b", "d"]'), "digest"),
        (lambda file: file["layers/00-conv2d"].attrs.__setitem__("kind", "Linear"), "digest"),
        (lambda file: file["layers/00-conv2d/weight"].__setitem__(0, 0), "digest"),
        (lambda file: file.__delitem__("layers/01-batchnorm2d/running_var"), "digest"),
        (lambda file: file.create_dataset("layers/00-conv2d/more", data=[1.0]), "digest"),
        (lambda file: file.attrs.__delitem__("digest"), "digest"),
        (lambda file: file.attrs.__delitem__("version"), "version"),
        (lambda file: file.attrs.__setitem__("version", 2), "version 2, which needs a newer tinydnn"),
        (lambda file: file.attrs.__setitem__("version", "new"), "invalid literal"),
        (lambda file: file.attrs.__setitem__("format", "other"), "an HDF5 file of another kind"),
    ],
)
def test_an_altered_file_is_refused(path, change, words):
    with h5py.File(path, "r+") as file:
        change(file)
    assert words in refused(path)


def set_arguments(layer, **arguments):
    return lambda file: file[f"layers/{layer}"].attrs.__setitem__("arguments", json.dumps(arguments))


def set_attribute(name, value):
    return lambda file: file.attrs.__setitem__(name, value)


def replace_array(name, array):
    def change(file):
        del file[name]
        file[name] = array

    return change


def link_outside(file):
    del file["layers/00-conv2d/weight"]
    file["layers/00-conv2d/weight"] = h5py.ExternalLink("other.h5", "/weight")


def hollow_array(file):
    del file["layers/00-conv2d/weight"]
    file.create_dataset("layers/00-conv2d/weight", (10**7, 10**7), np.float32, chunks=(1000, 1000))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: file["layers/02-relu"].attrs.__setitem__("kind", "os.system"), "found 'os.system'"),
        (lambda file: file["layers/02-relu"].attrs.__setitem__("kind", "Layer"), "expected a layer of AvgPool2d"),
        (lambda file: file["layers/02-relu"].attrs.__setitem__("kind", "__import__"), "found '__import__'"),
        (set_arguments("02-relu", command="touch /tmp/x"), "takes no arguments"),
        (set_arguments("03-maxpool2d", window=2, stride=None, __class__="os"), "__class__"),
        (set_arguments("03-maxpool2d", window="2", stride=None), "window: expected an integer"),
        (set_arguments("03-maxpool2d", window=0, stride=None), "window: expected at least 1"),
        (set_arguments("03-maxpool2d", window=99, stride=None), "no larger than"),
        (set_arguments("01-batchnorm2d", channels=16, momentum=0.1, eps=0), "eps: expected a positive number"),
        (set_arguments("01-batchnorm2d", channels=17), "expected shape (17,)"),
        (set_arguments("01-batchnorm2d", channels=10**15), "Unable to allocate"),
        (set_arguments("00-conv2d", in_channels=1, out_channels=16, kernel_size=3, rng=1), "rng"),
        (set_arguments("00-conv2d", in_channels=1), "missing"),
        (lambda file: file["layers/00-conv2d"].attrs.__setitem__("arguments", "[1]"), "must be a mapping"),
        (lambda file: file["layers/00-conv2d"].attrs.__setitem__("arguments", "exit()"), "Expecting value"),
        (lambda file: file["layers/00-conv2d"].attrs.__delitem__("kind"), "kind"),
        (lambda file: file.__delitem__("layers"), "layers"),
        (lambda file: file.__delitem__("layers/00-conv2d"), "expected shape"),
        (lambda file: file.move("layers/00-conv2d", "layers/first"), "invalid literal"),
        (lambda file: file.__delitem__("layers/00-conv2d/weight"), "missing ['weight']"),
        (replace_array("layers/00-conv2d/weight", np.zeros((16, 1, 5, 5), np.float32)), "expected shape (16, 1, 3, 3)"),
        (replace_array("layers/00-conv2d/weight", np.array(["a"] * 3, "S1")), "expected shape (16, 1, 3, 3)"),
        (replace_array("layers/00-conv2d", np.zeros(3)), "kind"),
        (replace_array("layers", np.zeros(3)), ""),
        (set_attribute("input_shape", [1, 16]), "input_shape: expected (C, H, W)"),
        (set_attribute("input_shape", [1, 10**6, 10**6]), "input_shape: expected (C, H, W) of 1 to 4096"),
        (set_attribute("input_shape", [2, 16, 16]), "for an x of shape (1, 2, 16, 16)"),
        (set_attribute("class_names", '["a", "b"]'), "expected a logit for each of 2 classes"),
        (set_attribute("class_names", '"abc"'), "class_names: expected a list of names"),
        (set_attribute("normalisation", '{"kind": "standard", "shift": 0, "scale": 0}'), "a scale above 0"),
        (set_attribute("normalisation", '{"kind": "standard", "shift": NaN, "scale": 1}'), "a finite shift"),
        (set_attribute("normalisation", '{"kind": "standard", "shift": "1", "scale": 1}'), ""),
        (set_attribute("normalisation", "{}"), "missing"),
        (link_outside, "layers/00-conv2d/weight: expected an array or a group, found a link to elsewhere"),
        (hollow_array, "expected an array that lies in the file, found shape (10000000, 10000000)"),
    ],
)
def test_a_file_made_to_deceive_is_refused(path, change, words):
    with h5py.File(path, "r+") as file:
        change(file)
    try:
        resealed(path, lambda file: None)
    except ValueError:
        assert change in (link_outside, hollow_array)  # not even a seal can be made for these
    assert words in refused(path)


def test_a_class_that_python_knows_is_not_made_from_its_name(path, monkeypatch):
    called = []
    monkeypatch.setattr(os, "system", called.append)
    resealed(path, lambda file: file["layers/02-relu"].attrs.__setitem__("kind", "os.system"))
    resealed(path, set_arguments("02-relu", command="echo hello"))
    refused(path)
    assert called == []


def test_files_of_another_kind_are_refused(tmp_path):
    (tmp_path / "text.h5").write_text("hello")
    assert "expected a whole tinydnn model" in refused(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["weight"] = np.zeros(3)
    assert "an HDF5 file of another kind" in refused(tmp_path / "other.h5")
    assert "found no such file" in refused(tmp_path / "none.h5")
    assert "found a folder" in refused(tmp_path)


def test_a_checkpoint_is_a_model_file_too(tmp_path):
    trainer = some_trainer()
    list(trainer.run())
    save_checkpoint(tmp_path / "checkpoint.h5", trainer, SavedModel(trainer.model, trainer.normalise, NAMES))
    loaded = load_model(tmp_path / "checkpoint.h5")
    for key, array in trainer.model.state().items():
        assert np.array_equal(loaded.model.state()[key], array)


@pytest.mark.parametrize("steps", range(4))
def test_a_checkpoint_can_be_written_at_any_time(tmp_path, steps):
    trainer = some_trainer()
    running = trainer.run()
    for _ in range(steps):
        next(running)
    save_checkpoint(tmp_path / "checkpoint.h5", trainer, SavedModel(trainer.model, trainer.normalise, NAMES))
    resumed = some_trainer()
    load_checkpoint(tmp_path / "checkpoint.h5", resumed)
    assert resumed.records == trainer.records
    assert resumed.iteration == trainer.iteration


def test_the_steps_of_each_parameter_come_back(tmp_path):
    trainer, path = some_trainer(), tmp_path / "checkpoint.h5"
    trainer.optimizer.step_counts = {name: k for k, name in enumerate(trainer.optimizer.parameters)}
    save_checkpoint(path, trainer, SavedModel(trainer.model, trainer.normalise, NAMES))
    resumed = some_trainer()
    load_checkpoint(path, resumed)
    assert resumed.optimizer.step_counts == trainer.optimizer.step_counts


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: file.__delitem__("training"), "a model without its training state"),
        (lambda file: file["training"].attrs.__setitem__("iteration", 1), "with records of 2 iterations"),
        (lambda file: file["training"].attrs.__setitem__("random_state", "{}"), "05-dropout/rng"),
        (lambda file: file["training"].attrs.__delitem__("optimizer_steps"), "optimizer_steps"),
        (
            lambda file: file.__delitem__("training/optimizer/velocity"),
            "optimizer/velocity/00-conv2d/weight is missing",
        ),
        (
            replace_array("training/optimizer/velocity/00-conv2d/weight", np.zeros((16, 1, 3, 3))),
            "expected float32 (16, 1, 3, 3), found float64 (16, 1, 3, 3)",
        ),
        (
            replace_array("training/optimizer/velocity/00-conv2d/weight", np.zeros(3, np.float32)),
            "expected float32 (16, 1, 3, 3), found float32 (3,)",
        ),
        (replace_array("training/steps", np.zeros((2, 5))), ""),
        (replace_array("training/steps", np.zeros(2)), ""),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, change, words):
    trainer, path = some_trainer(), tmp_path / "checkpoint.h5"
    list(trainer.run())
    save_checkpoint(path, trainer, SavedModel(trainer.model, trainer.normalise, NAMES))
    resealed(path, change)
    message = refused(path, lambda path: load_checkpoint(path, some_trainer()))
    assert words in message


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    trainer, other = some_trainer(), some_trainer()
    save_checkpoint(tmp_path / "checkpoint.h5", trainer, SavedModel(trainer.model, trainer.normalise, NAMES))
    other.model = small_model(classes=4)
    message = refused(tmp_path / "checkpoint.h5", lambda path: load_checkpoint(path, other))
    assert "expected shape (4, 16), found (3, 16)" in message
