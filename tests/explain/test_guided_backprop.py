"""Guided backpropagation, and the copy of a network that it runs."""

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.errors import InputError
from tinydnn.explain import guided_backprop, saliency
from tinydnn.explain.guided_backprop import GuidedReLU, guided
from tinydnn.layers import Layer, Linear, ReLU, Sequential


def kinds(layer):
    """The types of all layers within a layer, at any depth."""
    inner = [layer for _, layer in layer.named_layers()]
    return [type(layer), *(kind for layer in inner for kind in kinds(layer))]


def test_only_positive_gradients_pass_where_the_input_is_positive():
    z, backward = GuidedReLU()(np.array([-1.0, 0.0, 2.0, 3.0]))
    np.testing.assert_array_equal(z, [0, 0, 2, 3])
    np.testing.assert_array_equal(backward(np.array([5.0, 5.0, 5.0, -5.0])), [0, 0, 5, 0])


@pytest.mark.parametrize("name", ["paper_like", "nested", "regions"])
def test_every_relu_is_replaced_at_any_depth_and_the_network_computes_the_same(name, make_network, make_images):
    model, (x, _) = make_network(name), make_images()
    before, twin = kinds(model), guided(model)
    assert kinds(twin) == [GuidedReLU if kind is ReLU else kind for kind in before]
    assert kinds(model) == before
    np.testing.assert_allclose(twin.predict(x), model.predict(x), rtol=1e-10)


def test_the_parameters_are_shared(make_network):
    model = make_network("nested")
    own, shared = model.parameters(), guided(model).parameters()
    assert all(a is b for a, b in zip(own.values(), shared.values(), strict=True))


def test_any_layer_that_contains_layers_is_copied():
    class Residual(Layer):
        def __init__(self, body):
            self.body = body

        def __call__(self, x, *, training=False):
            z, backward = self.body(x, training=training)
            return x + z, lambda dz: dz + backward(dz)

        def named_layers(self):
            return [("body", self.body)]

    rng = np.random.default_rng(0)
    model = Sequential(Residual(Sequential(Linear(3, 3, rng=rng), ReLU())))
    assert kinds(guided(model)) == [Sequential, Residual, Sequential, Linear, GuidedReLU]
    assert kinds(model)[-1] is ReLU


def test_the_layers_run_one_by_one_because_the_fused_kernels_know_only_relu(make_network, make_images):
    with ops.trace() as calls:
        guided_backprop(make_network("paper_like"), *make_images())
    assert {call.operation for call in calls} == {"conv2d", "relu", "maxpool2d", "linear"}


def test_it_equals_the_formula_of_a_network_with_one_hidden_layer():
    rng = np.random.default_rng(0)
    first, second = Linear(5, 4, rng=rng), Linear(4, 3, rng=rng)
    model = Sequential(first, ReLU(), second).astype(np.float64)
    x, classes = rng.standard_normal((6, 5)), np.arange(6) % 3
    dz = second.weight.value[classes]
    hidden = x @ first.weight.value.T
    expected = (dz * (hidden > 0) * (dz > 0)) @ first.weight.value
    np.testing.assert_allclose(guided_backprop(model, x, classes), expected, rtol=1e-12)
    assert np.abs(expected - saliency(model, x, classes)).max() > 0.1


def test_a_model_without_relu_is_an_error(make_network, make_images):
    with pytest.raises(InputError, match="guided-backprop: expected a model with a ReLU, found none"):
        guided_backprop(make_network("smooth"), *make_images())
