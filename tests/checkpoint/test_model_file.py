"""Model files: a loaded model equals the saved one; a model that could not be loaded again is not written."""

import json

import h5py
import numpy as np
import pytest

from tinydnn.checkpoint import load_model, save_model
from tinydnn.errors import InputError
from tinydnn.layers import (
    GELU,
    AvgPool2d,
    Conv2d,
    Flatten,
    LayerNorm,
    Linear,
    MaxPool2d,
    PositionalEmbedding,
    ReLU,
    Residual,
    SelfAttention,
    Sequential,
    Sigmoid,
    SpatialAttention,
    SqueezeExcitation,
    TokenMean,
    Tokens,
)
from tinydnn.models import MODELS


@pytest.mark.parametrize("name", MODELS)
def test_the_loaded_model_equals_the_saved_one(name, saved, tmp_path):
    model = MODELS[name](image_size=16, seed=3)
    # A forward pass in training mode moves the buffers away from their initial values.
    model(np.random.default_rng(0).standard_normal((4, 1, 16, 16)).astype(np.float32), training=True)
    written = saved(model)
    save_model(tmp_path / "new" / "model.h5", written)
    loaded = load_model(tmp_path / "new" / "model.h5")
    assert (loaded.normalise, loaded.class_names, loaded.size) == (written.normalise, written.class_names, 16)
    assert list(loaded.model.state()) == list(model.state())
    for key, array in model.state().items():
        assert loaded.model.state()[key].dtype == array.dtype
        assert np.array_equal(loaded.model.state()[key], array), key
    x = np.random.default_rng(1).standard_normal((2, 1, 16, 16)).astype(np.float32)
    assert np.array_equal(loaded.model.predict(x), model.predict(x))
    assert [layer.config() for layer in loaded.model.layers] == [layer.config() for layer in model.layers]


def test_layers_keep_all_their_arguments(saved, tmp_path):
    draw = np.random.default_rng(0)
    model = Sequential(
        Conv2d(1, 2, 3, stride=2, padding=2, bias=False, rng=draw), Sigmoid(), AvgPool2d(3, stride=1), MaxPool2d(2),
        ReLU(), Flatten(), Linear(2 * 3 * 4, 2, rng=draw), input_shape=(1, 13, 17),
    )  # fmt: skip
    save_model(tmp_path / "m.h5", saved(model, ("a", "b")))
    loaded = load_model(tmp_path / "m.h5")
    x = draw.standard_normal((2, 1, 13, 17)).astype(np.float32)
    assert np.array_equal(loaded.model.predict(x), model.predict(x))
    with pytest.raises(InputError, match=r"square input images of one channel, found input shape \(1, 13, 17\)"):
        _ = loaded.size


def test_layers_made_of_layers_keep_their_arrays(saved, tmp_path):
    draw = np.random.default_rng(0)
    attention = Residual(Sequential(LayerNorm(4, eps=1e-3), SelfAttention(4, heads=2, rng=draw)))
    gates = SqueezeExcitation(4, reduction=2, rng=draw), SpatialAttention(kernel_size=3, rng=draw)
    model = Sequential(
        Conv2d(1, 4, 2, stride=2, rng=draw), *gates, Tokens(), PositionalEmbedding(16, 4, rng=draw), attention,
        GELU(), TokenMean(), Linear(4, 2, rng=draw), input_shape=(1, 8, 8),
    )  # fmt: skip
    save_model(tmp_path / "m.h5", saved(model, ("a", "b")))
    loaded = load_model(tmp_path / "m.h5").model
    assert str(loaded) == str(model)
    assert list(loaded.state()) == list(model.state())
    x = draw.standard_normal((2, 1, 8, 8)).astype(np.float32)
    assert np.array_equal(loaded.predict(x), model.predict(x))
    with h5py.File(tmp_path / "m.h5") as file:
        assert file["layers/01-squeezeexcitation/gate/01-linear/weight"].shape == (2, 4)
        assert file["layers/05-residual/00-sequential/01-selfattention/qkv/weight"].shape == (12, 4)


def test_a_model_file_is_plain_hdf5(path):
    with h5py.File(path) as file:
        assert file.attrs["format"] == "tinydnn-model"
        assert file.attrs["version"] == 1
        assert file["layers/00-conv2d/weight"].shape == (16, 1, 3, 3)
        assert file["layers/00-conv2d"].attrs["kind"] == "Conv2d"
        assert json.loads(file["layers/00-conv2d"].attrs["arguments"])["kernel_size"] == 3
        assert json.loads(file.attrs["class_names"]) == ["meningioma", "glioma", "pituitary"]
        kinds = []
        file.visititems(lambda name, item: kinds.append(getattr(item, "dtype", np.dtype(np.float32)).kind))
    assert set(kinds) == {"f"}  # no pickled objects, no references


def test_more_than_ten_layers_keep_their_order(saved, tmp_path):
    layers = [Linear(4, 4, rng=np.random.default_rng(k)) for k in range(12)]
    model = Sequential(Flatten(), *layers, input_shape=(1, 2, 2))
    save_model(tmp_path / "m.h5", saved(model, ("a", "b", "c", "d")))
    x = np.ones((1, 1, 2, 2), np.float32)
    assert np.array_equal(load_model(tmp_path / "m.h5").model.predict(x), model.predict(x))


class OwnReLU(ReLU):
    """A layer that tinydnn does not provide."""


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (Sequential(OwnReLU(), input_shape=(1, 2, 2)), TypeError, "00-ownrelu: expected a layer that can be saved"),
        (
            Sequential(Sequential(OwnReLU()), input_shape=(1, 2, 2)),
            TypeError,
            "00-sequential/00-ownrelu: expected a layer",
        ),
        (Sequential(ReLU()), ValueError, "expected an input_shape"),
    ],
)
def test_a_model_that_could_not_be_loaded_is_not_written(model, error, words, saved, tmp_path):
    with pytest.raises(error, match=words):
        save_model(tmp_path / "m.h5", saved(model))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_no_other(path, saved, small_model, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr("tinydnn.checkpoint.sealed._digest", lambda file: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_model(path, saved(small_model()))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["model.h5"]
