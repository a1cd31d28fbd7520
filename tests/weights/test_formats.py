"""The same weights from every format: the same numbers at the same places."""

import h5py
import numpy as np
import pytest

from tinydnn.checkpoint import SavedModel, save_model
from tinydnn.data.preprocessing import CAFFE, TORCHVISION
from tinydnn.weights import load, read
from tinydnn.weights.names import translated


def values(model):
    return [one.value for one in model.parameters().values()]


def assert_loaded(model, arrays, path):
    report = load(model, path)
    assert report.loaded == tuple(arrays)
    assert report.missing == report.left_over == ()
    for found, wanted in zip(values(model), arrays.values(), strict=True):
        assert np.array_equal(found, wanted)
        assert found.dtype == np.float32
        assert found.flags.c_contiguous
        assert found.flags.writeable


def test_safetensors(model, arrays, write_safetensors, tmp_path):
    assert_loaded(model, arrays, write_safetensors(tmp_path / "w.safetensors", arrays))


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_safetensors_of_other_number_types(model, arrays, write_safetensors, tmp_path, dtype):
    cast = {name: one.astype(dtype) for name, one in arrays.items()}
    rounded = {name: one.astype(np.float32) for name, one in cast.items()}
    assert_loaded(model, rounded, write_safetensors(tmp_path / "w.safetensors", cast))


def test_safetensors_of_bfloat16(model, arrays, write_safetensors, tmp_path):
    upper = {name: (one.view(np.uint32) >> 16).astype(np.uint16) for name, one in arrays.items()}
    rounded = {name: (one.view(np.uint32) & 0xFFFF0000).view(np.float32) for name, one in arrays.items()}
    path = write_safetensors(tmp_path / "w.safetensors", upper, names={np.uint16: "BF16"})
    assert_loaded(model, rounded, path)


@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_pytorch(torch, model, arrays, tmp_path, zipped):
    tensors = {name: torch.tensor(one) for name, one in arrays.items()}
    torch.save(tensors, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert_loaded(model, arrays, tmp_path / "w.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_of_pytorch_with_views_and_parameters(torch, model, arrays, tmp_path, zipped):
    """As a network's own state_dict: tensors that share a storage, lie otherwise in memory, or are parameters."""
    state = torch.nn.Sequential(torch.nn.Linear(2, 2)).state_dict()  # an OrderedDict that carries versions of layers
    state.clear()
    shared = torch.tensor(np.concatenate([arrays["features.0.bias"], arrays["features.2.bias"]]))
    for name, one in arrays.items():
        state[name] = torch.tensor(one)
    state["features.0.bias"], state["features.2.bias"] = shared[:4], shared[4:]
    state["features.0.weight"] = state["features.0.weight"].to(memory_format=torch.channels_last)
    state["classifier.0.weight"] = torch.nn.Parameter(state["classifier.0.weight"].T.contiguous().T)
    state["features.2.weight"] = state["features.2.weight"].double()
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert_loaded(model, arrays, tmp_path / "w.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_half_precision_of_pytorch(torch, model, arrays, tmp_path, zipped):
    tensors = {name: torch.tensor(one).bfloat16() for name, one in arrays.items()}
    torch.save(tensors, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert_loaded(model, {name: one.float().numpy() for name, one in tensors.items()}, tmp_path / "w.pth")


def test_a_model_of_our_own(model, arrays, tmp_path):
    for one, value in zip(model.parameters().values(), arrays.values(), strict=True):
        one.value = value.copy()
    save_model(tmp_path / "m.h5", SavedModel(model, CAFFE, tuple("abcdef")))
    for one in model.parameters().values():
        one.value = np.zeros_like(one.value)
    assert_loaded(model, arrays, tmp_path / "m.h5")
    assert read(tmp_path / "m.h5").preprocessing == CAFFE


KERAS = {"features.0": "block1_conv1", "features.2": "block1_conv2"}


@pytest.mark.parametrize(
    "name", ["{layer}/{layer}_{letter}_1:0", "{layer}/{layer}/{word}:0", "model_weights/{layer}/{layer}/{word}:0"]
)
def test_a_file_of_keras(model, arrays, tmp_path, name):
    """Convolutions lie as (kh, kw, C, O) there."""
    trunk = {key: one for key, one in arrays.items() if key.startswith("features")}
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for key, one in trunk.items():
            layer, kind = key.rsplit(".", 1)
            word, letter = ("kernel", "W") if kind == "weight" else ("bias", "b")
            stored = one.transpose(2, 3, 1, 0) if kind == "weight" else one
            file[name.format(layer=KERAS[layer], letter=letter, word=word)] = stored
    report = load(model, tmp_path / "w.h5")
    assert set(report.loaded) == set(trunk)
    assert report.missing == ("classifier.0.weight", "classifier.0.bias")
    assert report.preprocessing == CAFFE
    for key, found in zip(arrays, values(model), strict=True):
        assert np.array_equal(found, arrays[key]) == (key in trunk)


def test_the_first_matrix_of_keras_counts_pixels_before_channels(tmp_path):
    """What a flattened picture (H, W, C) times Keras's matrix gives, a flattened (C, H, W) times ours gives too."""
    draw = np.random.default_rng(0)
    picture, theirs = draw.standard_normal((7, 7, 512)), draw.standard_normal((7 * 7 * 512, 3))
    named = {"block1_conv1/kernel": np.zeros((3, 3, 3, 64)), "fc1/fc1/kernel:0": theirs, "fc1/fc1/bias:0": np.ones(3)}
    found, _, convention = translated(tmp_path, named)
    assert convention == "Keras"
    ours = found["classifier.0.weight"] @ picture.transpose(2, 0, 1).ravel()
    np.testing.assert_allclose(ours, picture.ravel() @ theirs, rtol=1e-10)
    predictions = translated(tmp_path, {**named, "predictions/predictions_W_1:0": np.ones((4096, 9))})[0]
    assert predictions["classifier.6.weight"].shape == (9, 4096)


def test_what_timm_keeps_as_convolutions_becomes_matrices(tmp_path):
    named = {"pre_logits.fc1.weight": np.arange(12.0).reshape(2, 3, 1, 2), "head.fc.bias": np.ones(9)}
    found, preprocessing, convention = translated(tmp_path, named)
    assert np.array_equal(found["classifier.0.weight"], np.arange(12.0).reshape(2, 6))
    assert list(found) == ["classifier.0.weight", "classifier.6.bias"]
    assert (preprocessing, convention) == (TORCHVISION, "timm")


def test_the_names_of_caffe_are_translated(tmp_path):
    named = dict.fromkeys(
        ("conv1.weight", "fire2/squeeze1x1.bias", "fire9/expand3x3.weight", "conv10.bias"), np.ones(1)
    )
    found, preprocessing, _ = translated(tmp_path, named)
    assert list(found) == ["features.0.weight", "features.3.squeeze.bias", "features.12.expand3x3.weight",
                           "classifier.1.bias"]  # fmt: skip
    assert preprocessing == CAFFE
