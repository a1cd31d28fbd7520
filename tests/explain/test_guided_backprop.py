"""Guided backpropagation, and the copy of a network that it runs."""

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.errors import InputError
from tinydnn.explain import guided_backprop, saliency
from tinydnn.explain.guided_backprop import PositiveGradient, guided
from tinydnn.layers import Conv2d, Layer, Linear, MaxPool2d, ReLU, Sequential


def kinds(layer):
    """The types of all layers within a layer, at any depth."""
    inner = [layer for _, layer in layer.named_layers()]
    return [type(layer), *(kind for layer in inner for kind in kinds(layer))]


def test_only_positive_gradients_pass_where_the_input_is_positive():
    z, backward = guided(ReLU())(np.array([-1.0, 0.0, 2.0, 3.0]))
    np.testing.assert_array_equal(z, [0, 0, 2, 3])
    np.testing.assert_array_equal(backward(np.array([5.0, 5.0, 5.0, -5.0])), [0, 0, 5, 0])


@pytest.mark.parametrize("name", ["paper_like", "nested", "regions"])
def test_every_relu_is_guided_at_any_depth_and_the_network_computes_the_same(name, make_network, make_images):
    model, (x, _) = make_network(name), make_images()
    before, twin = kinds(model), guided(model)
    assert kinds(twin).count(PositiveGradient) == before.count(ReLU) > 0
    assert [kind for kind in kinds(twin) if kind is not PositiveGradient] == before == kinds(model)
    np.testing.assert_allclose(twin.predict(x), model.predict(x), rtol=1e-10)


@pytest.mark.parametrize(("window", "stride"), [(2, None), (2, 2), (3, 3), (3, 2), (2, 1), (2, 3)])
@pytest.mark.parametrize("fusion", [True, False])
def test_max_pooling_after_a_relu_does_not_change_the_rule(window, stride, fusion):
    """Where windows overlap, a pixel can get a positive gradient of one and a negative one of another."""
    rng = np.random.default_rng(0)
    conv, relu, pool = Conv2d(1, 3, 3, padding=1, rng=rng), ReLU(), MaxPool2d(window, stride=stride)
    x = rng.standard_normal((2, 1, 9, 8)).astype(np.float32)
    convolved, conv_backward = conv(x)
    rectified, relu_backward = relu(convolved)
    z, pool_backward = pool(rectified)
    dz = rng.standard_normal(z.shape).astype(np.float32)
    expected = conv_backward(np.maximum(relu_backward(pool_backward(dz)), 0))
    with ops.use() if fusion else ops.use(conv2d="reference"):
        _, backward = guided(Sequential(conv, relu, pool))(x)
        np.testing.assert_allclose(backward(dz), expected, rtol=1e-5, atol=1e-6)


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
    assert kinds(guided(model)) == [Sequential, Residual, Sequential, Linear, ReLU, PositiveGradient]
    assert kinds(model)[-1] is ReLU


def test_the_fused_operations_run(make_network, make_images):
    with ops.trace() as calls:
        guided_backprop(make_network("paper_like"), *make_images())
    assert [call.operation for call in calls] == ["conv2d_relu_maxpool2d"] * 2 + ["linear", "relu", "linear"]


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
