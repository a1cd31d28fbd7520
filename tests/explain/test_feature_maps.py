"""Feature maps of any layer, and the chain of layers that computes them."""

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.explain import feature_maps, layers_up_to
from tinydnn.layers import Concat, Conv2d, Flatten, Linear, ReLU, Sequential
from tinydnn.models import baseline_cnn
from tinydnn.models.imagenet import NETWORKS


def conv(inputs, outputs):
    return Conv2d(inputs, outputs, 3, padding=1, rng=np.random.default_rng(inputs * outputs))


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).standard_normal((2, 1, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def nested():
    """Two branches of two layers each, between other layers."""
    left, right = (Sequential(conv(4, k), ReLU()) for k in (2, 3))
    layers = [conv(1, 4), Concat(left, right), Flatten(), Linear(5 * 64, 3, rng=np.random.default_rng(9))]
    return Sequential(*layers, names=["stem", "concat", "flatten", "head"], input_shape=(1, 8, 8))


def test_the_map_of_every_layer_of_a_chain_is_its_output():
    model, x = baseline_cnn(image_size=16), np.random.default_rng(0).standard_normal((2, 1, 16, 16)).astype(np.float32)
    z = x
    for name, layer in list(model.named_layers())[:12]:
        z = layer.predict(z)
        np.testing.assert_allclose(feature_maps(model, x, name), z, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["01-concat/01-sequential/00-conv2d", "concat/01-sequential/conv2d", "01-concat/01-sequential/conv2d"]
)
def test_a_layer_inside_others_is_found_by_its_path(nested, x, name):
    stem, concat = nested.layers[:2]
    expected = concat.branches[1].layers[0].predict(stem.predict(x))
    np.testing.assert_array_equal(feature_maps(nested, x, name), expected)


def test_a_path_may_end_at_a_layer_that_contains_others(nested, x):
    stem, concat = nested.layers[:2]
    np.testing.assert_array_equal(feature_maps(nested, x, "concat"), concat.predict(stem.predict(x)))
    branch = feature_maps(nested, x, "concat/00-sequential")
    np.testing.assert_array_equal(branch, feature_maps(nested, x, "concat")[:, :2])


def test_the_paths_are_those_of_the_arrays(nested):
    for name in nested.state():
        layer = layers_up_to(nested, name.rpartition("/")[0]).layers[-1]
        assert any(value is nested.state()[name] for value in layer.state().values())


def test_layers_inside_squeezenet_have_maps():
    model = NETWORKS["squeezenet1_1"].trunk(image_size=48)
    image = np.random.default_rng(0).standard_normal((1, 3, 48, 48)).astype(np.float32)
    assert feature_maps(model, image, "features.3/concat/01-sequential/expand3x3").shape[1] == 64
    assert feature_maps(model, image, "features.3/squeeze").shape[1] == 16


def test_the_gradient_flows_through_the_chain_up_to_a_layer(nested, x):
    chain = layers_up_to(nested, "concat/01-sequential/relu")
    z, backward = chain(x)
    assert backward(np.ones_like(z)).shape == x.shape


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("conv2d", "layer: expected one of 00-stem, 01-concat, 02-flatten, 03-head, found 'conv2d'"),
        ("", "layer: expected one of 00-stem"),
        ("concat/sequential", "layer: expected one of 00-sequential, 01-sequential, found 'sequential'"),
        ("concat/00-sequential/pool", "layer: expected one of 00-conv2d, 01-relu, found 'pool'"),
        ("stem/weight", "layer: expected one of no layers, found 'weight'"),
        ("stem/", "layer: expected one of no layers, found ''"),
    ],
)
def test_an_unknown_layer_is_reported_with_those_beside_it(nested, x, name, message):
    with pytest.raises(InputError) as error:
        feature_maps(nested, x, name)
    assert str(error.value).startswith(message)


def test_a_layer_whose_output_has_no_positions_is_refused(nested, x):
    with pytest.raises(InputError, match=r"layer head: expected a feature map .*, found an output of shape \(2, 3\)"):
        feature_maps(nested, x, "head")
