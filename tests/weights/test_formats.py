"""The same weights from every file format give the same parameters."""

import h5py
import numpy as np
import pytest

from tinydnn.checkpoint import SavedModel, save_model
from tinydnn.data.normalise import CAFFE, TORCHVISION, Normalisation
from tinydnn.errors import InputError
from tinydnn.layers import BatchNorm2d, Conv2d, Flatten, Sequential
from tinydnn.weights import load, read
from tinydnn.weights.names import translate


def values(model):
    return [parameter.value for parameter in model.parameters().values()]


def assert_loaded(model, arrays, path):
    report = load(model, path)
    assert report.loaded == tuple(arrays)
    assert report.missing == report.unused == ()
    for value, expected in zip(values(model), arrays.values(), strict=True):
        assert np.array_equal(value, expected)
        assert value.dtype == np.float32
        assert value.flags.c_contiguous
        assert value.flags.writeable


def test_safetensors(model, arrays, write_safetensors, tmp_path):
    assert_loaded(model, arrays, write_safetensors(tmp_path / "w.safetensors", arrays))


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_safetensors_of_other_dtypes(model, arrays, write_safetensors, tmp_path, dtype):
    cast = {name: array.astype(dtype) for name, array in arrays.items()}
    rounded = {name: array.astype(np.float32) for name, array in cast.items()}
    assert_loaded(model, rounded, write_safetensors(tmp_path / "w.safetensors", cast))


def test_safetensors_of_bfloat16(model, arrays, write_safetensors, tmp_path):
    upper = {name: (array.view(np.uint32) >> 16).astype(np.uint16) for name, array in arrays.items()}
    rounded = {name: (array.view(np.uint32) & 0xFFFF0000).view(np.float32) for name, array in arrays.items()}
    path = write_safetensors(tmp_path / "w.safetensors", upper, names={np.uint16: "BF16"})
    assert_loaded(model, rounded, path)


@pytest.mark.parametrize("zipped", [True, False])
def test_pytorch_files(torch, model, arrays, tmp_path, zipped):
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    torch.save(tensors, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert_loaded(model, arrays, tmp_path / "w.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_pytorch_state_dict_with_views_and_parameters(torch, model, arrays, tmp_path, zipped):
    """Tensors that share a storage, have other strides, or are parameters, in a state_dict."""
    state = torch.nn.Sequential(
        torch.nn.Linear(2, 2)
    ).state_dict()  # an OrderedDict with layer versions as an attribute
    state.clear()
    shared = torch.tensor(np.concatenate([arrays["features.0.bias"], arrays["features.2.bias"]]))
    for name, array in arrays.items():
        state[name] = torch.tensor(array)
    state["features.0.bias"], state["features.2.bias"] = shared[:4], shared[4:]
    state["features.0.weight"] = state["features.0.weight"].to(memory_format=torch.channels_last)
    state["classifier.0.weight"] = torch.nn.Parameter(state["classifier.0.weight"].T.contiguous().T)
    state["features.2.weight"] = state["features.2.weight"].double()
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert_loaded(model, arrays, tmp_path / "w.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_pytorch_half_precision(torch, model, arrays, tmp_path, zipped):
    tensors = {name: torch.tensor(array).bfloat16() for name, array in arrays.items()}
    torch.save(tensors, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert_loaded(model, {name: tensor.float().numpy() for name, tensor in tensors.items()}, tmp_path / "w.pth")


def test_a_tinydnn_model(model, arrays, tmp_path):
    for parameter, array in zip(model.parameters().values(), arrays.values(), strict=True):
        parameter.value = array.copy()
    save_model(tmp_path / "m.h5", SavedModel(model, CAFFE, tuple("abcdef")))
    for parameter in model.parameters().values():
        parameter.value = np.zeros_like(parameter.value)
    assert_loaded(model, arrays, tmp_path / "m.h5")
    assert read(tmp_path / "m.h5").preprocessing == CAFFE


def test_a_tinydnn_model_trained_from_scratch_keeps_its_names_and_buffers(model, tmp_path):
    network = Sequential(
        Conv2d(1, 2, 3, rng=np.random.default_rng(0)), BatchNorm2d(2), Flatten(), input_shape=(1, 3, 3)
    )
    normalise = Normalisation("standard", 60.0, 50.0)
    save_model(tmp_path / "m.h5", SavedModel(network, normalise, ("a", "b")))
    weights = read(tmp_path / "m.h5")
    assert (weights.preprocessing, weights.convention) == (normalise, "tinydnn")
    assert weights.arrays.keys() == network.state().keys() > network.parameters().keys()
    for name, array in network.state().items():
        assert np.array_equal(weights.arrays[name], array)
    before = values(model)
    with pytest.raises(InputError, match="adapted from a published network, found one trained from scratch"):
        load(model, weights)
    assert values(model) == before


def test_an_hdf5_file_without_weights_is_refused(tmp_path):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["label"] = [1, 2]
    with pytest.raises(InputError, match=r"d\.h5: expected weights as .*, found a file without such arrays"):
        read(tmp_path / "d.h5")


KERAS = {"features.0": "block1_conv1", "features.2": "block1_conv2"}


@pytest.mark.parametrize(
    "name", ["{layer}/{layer}_{letter}_1:0", "{layer}/{layer}/{word}:0", "model_weights/{layer}/{layer}/{word}:0"]
)
def test_keras_files(model, arrays, tmp_path, name):
    """Keras stores convolutions as (kh, kw, C, O)."""
    trunk = {key: array for key, array in arrays.items() if key.startswith("features")}
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for key, array in trunk.items():
            layer, kind = key.rsplit(".", 1)
            word, letter = ("kernel", "W") if kind == "weight" else ("bias", "b")
            stored = array.transpose(2, 3, 1, 0) if kind == "weight" else array
            file[name.format(layer=KERAS[layer], letter=letter, word=word)] = stored
    report = load(model, tmp_path / "w.h5")
    assert set(report.loaded) == set(trunk)
    assert report.missing == ("classifier.0.weight", "classifier.0.bias")
    assert report.preprocessing == CAFFE
    for key, value in zip(arrays, values(model), strict=True):
        assert np.array_equal(value, arrays[key]) == (key in trunk)


def test_the_first_matrix_of_keras_is_permuted_to_channels_first(tmp_path):
    """An image flattened as (C, H, W) gives the product that Keras computes from (H, W, C)."""
    draw = np.random.default_rng(0)
    image, kernel = draw.standard_normal((7, 7, 512)), draw.standard_normal((7 * 7 * 512, 3))
    named = {"block1_conv1/kernel": np.zeros((3, 3, 3, 64)), "fc1/fc1/kernel:0": kernel, "fc1/fc1/bias:0": np.ones(3)}
    arrays, _, convention = translate(tmp_path, named)
    assert convention == "Keras"
    product = arrays["classifier.0.weight"] @ image.transpose(2, 0, 1).ravel()
    np.testing.assert_allclose(product, image.ravel() @ kernel, rtol=1e-10)
    predictions = translate(tmp_path, {**named, "predictions/predictions_W_1:0": np.ones((4096, 9))})[0]
    assert predictions["classifier.6.weight"].shape == (9, 4096)


def test_convolutions_of_timm_become_matrices(tmp_path):
    named = {"pre_logits.fc1.weight": np.arange(12.0).reshape(2, 3, 1, 2), "head.fc.bias": np.ones(9)}
    arrays, preprocessing, convention = translate(tmp_path, named)
    assert np.array_equal(arrays["classifier.0.weight"], np.arange(12.0).reshape(2, 6))
    assert list(arrays) == ["classifier.0.weight", "classifier.6.bias"]
    assert (preprocessing, convention) == (TORCHVISION, "timm")


def test_names_of_caffe_are_translated(tmp_path):
    named = dict.fromkeys(
        ("conv1.weight", "fire2/squeeze1x1.bias", "fire9/expand3x3.weight", "conv10.bias"), np.ones(1)
    )
    arrays, preprocessing, _ = translate(tmp_path, named)
    assert list(arrays) == ["features.0.weight", "features.3.squeeze.bias", "features.12.expand3x3.weight",
                           "classifier.1.bias"]  # fmt: skip
    assert preprocessing == CAFFE
