"""The chain is cut at a layer, by default the last of rectified features."""

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.explain.feature_map import (
    feature_map_and_gradient,
    has_feature_map,
    last_feature_layer,
    layer_index,
    outputs,
)
from tinydnn.layers import Flatten, Linear, ReLU, Sequential


@pytest.mark.parametrize("layer", ["00-conv2d", "02-maxpool2d", "03-conv2d"])  # pooling has kinks at zeros of a ReLU
def test_the_gradient_is_the_numeric_derivative_by_the_feature_map(layer, make_network, make_images, numeric_gradient):
    model, (x, classes) = make_network("paper_like"), make_images(2)
    features, gradient = feature_map_and_gradient(model, x, classes, layer)
    before, after = model.split_at(int(layer[:2]) + 1)
    np.testing.assert_allclose(features, before.predict(x), rtol=1e-12)
    features = np.ascontiguousarray(features)
    expected = numeric_gradient(lambda a: after.predict(a)[np.arange(2), classes].sum(), features)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("name", "expected"), [("paper_like", 4), ("nested", 6), ("regions", 1)])
def test_the_default_layer_is_the_last_of_rectified_features(name, expected, make_network, make_images):
    model, (x, classes) = make_network(name), make_images()
    assert last_feature_layer(model) == expected
    by_default, _ = feature_map_and_gradient(model, x, classes, None)
    named, _ = feature_map_and_gradient(model, x, classes, list(dict(model.named_layers()))[expected])
    np.testing.assert_array_equal(by_default, named)


def test_a_layer_that_contains_a_relu_counts_as_one(make_network):
    model = make_network("nested")
    first = Sequential(*model.layers[:5], input_shape=model.input_shape)
    assert last_feature_layer(first) == 4


@pytest.mark.parametrize("name", ["linear", "smooth"])
def test_a_model_without_rectified_features_has_no_default_layer(name, make_network):
    assert not has_feature_map(make_network(name))
    with pytest.raises(InputError, match="expected a model with a ReLU whose output is a feature map"):
        last_feature_layer(make_network(name))


def test_a_relu_without_positions_is_no_feature_map():
    model = Sequential(Flatten(), Linear(4, 3, rng=np.random.default_rng(0)), ReLU(), input_shape=(1, 2, 2))
    assert not has_feature_map(model)


def test_a_layer_is_found_by_its_full_name_or_by_a_name_of_its_own(make_network):
    model = make_network("paper_like")
    assert layer_index(model, "01-relu") == 1
    assert layer_index(model, "flatten") == 6


@pytest.mark.parametrize("name", ["relu", "1-relu", "12-relu", ""])
def test_another_name_is_an_error_that_lists_the_layers(name, make_network):
    with pytest.raises(InputError, match=f"layer: expected one of 00-conv2d, 01-relu, .*, found '{name}'"):
        layer_index(make_network("paper_like"), name)


def test_a_layer_without_positions_is_an_error(make_network, make_images):
    with pytest.raises(InputError, match=r"layer 08-relu: expected a feature map .* shape \(4, 6\)"):
        feature_map_and_gradient(make_network("paper_like"), *make_images(), "08-relu")


def test_the_gradients_of_the_parameters_are_restored(make_network, make_images):
    model = make_network("paper_like")
    feature_map_and_gradient(model, *make_images(), None)
    assert all(parameter.grad is None for parameter in model.parameters().values())


def test_the_outputs_have_the_dtype_of_the_model(make_network):
    for dtype in (np.float32, np.float64):
        assert {z.dtype for _, z in outputs(make_network("nested", dtype))} == {np.dtype(dtype)}


def test_a_model_without_an_input_shape_needs_a_layer(make_network, make_images):
    model, (x, classes) = Sequential(*make_network("nested").layers), make_images()
    with pytest.raises(InputError, match="expected an input shape"):
        feature_map_and_gradient(model, x, classes, None)
    features, _ = feature_map_and_gradient(model, x, classes, "02-relu")
    assert features.shape == (4, 6, 12, 16)
