"""A chain of layers is the composition of its layers, forward and backward."""

import numpy as np
import pytest

from tinydnn import ops
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


def rng(seed=0):
    return np.random.default_rng(seed)


def layers():
    """One layer of every kind, in float64."""
    generator = rng()
    chain = (
        Conv2d(2, 3, 3, stride=2, padding=1, rng=generator), Sigmoid(), AvgPool2d(2, stride=1),
        Conv2d(3, 4, 3, padding=1, rng=generator), BatchNorm2d(4), ReLU(), MaxPool2d(2), Flatten(),
        Dropout(0.5, rng=generator), Linear(8, 3, rng=generator),
    )  # fmt: skip
    for layer in chain:
        layer.astype(np.float64)
    return chain


def test_value_and_gradients_are_those_of_the_layers_called_by_hand():
    x, dz = rng(1).standard_normal((3, 2, 9, 6)), rng(2).standard_normal((3, 3))
    model = Sequential(*layers())
    z, backward = model(x, training=True)
    dx = backward(dz)

    by_hand, value, backwards = layers(), x, []
    for layer in by_hand:
        value, layer_backward = layer(value, training=True)
        backwards.append(layer_backward)
    gradient = dz
    for layer_backward in reversed(backwards):
        gradient = layer_backward(gradient)
    assert np.array_equal(z, value)
    assert np.array_equal(dx, gradient)
    for layer, expected in zip(model.layers, by_hand, strict=True):
        for name, parameter in layer.parameters().items():
            assert np.array_equal(parameter.grad, expected.parameters()[name].grad)


def test_predict_is_the_value_in_evaluation_mode():
    model, x = Sequential(*layers()), rng(1).standard_normal((3, 2, 9, 6))
    assert np.array_equal(model.predict(x), model(x)[0])


def test_a_chain_can_be_a_layer_of_a_chain():
    flat, x, dz = layers(), rng(1).standard_normal((3, 2, 9, 6)), rng(2).standard_normal((3, 3))
    inner = layers()
    nested = Sequential(Sequential(*inner[:4]), Sequential(*inner[4:7]), *inner[7:])
    results = []
    for model in (Sequential(*flat), nested):
        z, backward = model(x, training=True)
        results.append((z, backward(dz), [parameter.grad for parameter in model.parameters().values()]))
    for expected, result in zip(*results, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(expected, result, strict=True))
    assert "00-sequential/03-conv2d/weight" in nested.parameters()


class CountingSigmoid(Sigmoid):
    """A layer without parameters that counts its backward calls."""

    backward_calls = 0

    def __call__(self, x, *, training=False):
        z, backward = super().__call__(x, training=training)

        def counting_backward(dz):
            self.backward_calls += 1
            return backward(dz)

        return z, counting_backward


@pytest.mark.parametrize("nested", [False, True])
def test_without_need_dx_backward_ends_at_the_first_learning_layer(nested):
    before, after = CountingSigmoid(), CountingSigmoid()
    convolution = Conv2d(2, 3, 3, rng=rng())
    first = Sequential(before, convolution) if nested else before
    model = Sequential(*([first] if nested else [before, convolution]), after)
    z, backward = model(rng().standard_normal((1, 2, 5, 5)).astype(np.float32))
    assert backward(np.ones_like(z), need_dx=False) is None
    assert (before.backward_calls, after.backward_calls) == (0, 1)
    grad = convolution.weight.grad
    assert backward(np.ones_like(z)).shape == (1, 2, 5, 5)
    assert before.backward_calls == 1
    assert np.array_equal(convolution.weight.grad, grad)


def test_without_need_dx_the_first_convolution_computes_no_dx():
    requests = []
    reference = ops.conv2d.implementations["reference"].function

    @ops.conv2d.implementation("recording", device="cpu")
    def recording(x, w, b, *, stride=1, padding=0):
        z, backward = reference(x, w, b, stride=stride, padding=padding)

        def recording_backward(dz, need_dx=True):
            requests.append(need_dx)
            return backward(dz, need_dx=need_dx)

        return z, recording_backward

    try:
        model = Sequential(Conv2d(1, 2, 3, rng=rng()), ReLU(), Conv2d(2, 2, 3, rng=rng()), ReLU())
        with ops.use(conv2d="recording"):
            z, backward = model(np.ones((1, 1, 7, 7), np.float32))
            backward(np.ones_like(z), need_dx=False)
    finally:
        ops.conv2d.unregister("recording")
    assert requests == [True, False]  # the last layer first


def test_a_chain_without_parameters_computes_a_gradient_only_on_request():
    sigmoid = CountingSigmoid()
    z, backward = Sequential(sigmoid, Flatten())(np.ones((1, 2, 2, 2), np.float32))
    assert backward(np.ones_like(z), need_dx=False) is None
    assert sigmoid.backward_calls == 0
    assert backward(np.ones_like(z)).shape == (1, 2, 2, 2)


def test_global_pooling_feeds_a_fully_connected_layer():
    model = Sequential(GlobalAvgPool2d(), Linear(4, 2, rng=rng()))
    z, backward = model(np.ones((3, 4, 5, 6), np.float32))
    assert z.shape == (3, 2)
    assert backward(np.ones_like(z)).shape == (3, 4, 5, 6)


def test_a_layer_with_parameters_cannot_appear_twice():
    linear, activation = Linear(3, 3, rng=rng()), ReLU()
    Sequential(linear, activation, Linear(3, 3, rng=rng()), activation)
    with pytest.raises(ValueError, match="expected separate parameters in every layer, found one in two layers"):
        Sequential(linear, activation, linear)


def test_a_layer_may_override_the_parameters_it_reports():
    class Alias(Linear):
        def parameters(self):
            return {"matrix": self.weight}

    chain = Sequential(Alias(3, 2, rng=np.random.default_rng(0)))
    assert list(chain.parameters()) == ["00-alias/matrix"]


def for_12_by_12_pixels():
    """A model for images of 1 × 12 × 12 that ends in a fully connected layer."""
    return Sequential(
        Conv2d(1, 2, 3, padding=1, rng=rng()), ReLU(), MaxPool2d(2), Flatten(), Linear(72, 3, rng=rng()),
        input_shape=(1, 12, 12),
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(2, 1, 6, 6), (2, 3, 12, 12), (2, 12, 12), (1, 12, 12), (2, 1, 1, 1)])
@pytest.mark.parametrize(
    "run",
    [
        lambda model, x: model(x),
        lambda model, x: model(x, training=True),
        lambda model, x: model.predict(x),
    ],
    ids=["a call", "training", "predict"],
)
def test_images_that_a_layer_refuses_are_named_and_not_its_weights(run, shape):
    with pytest.raises(InputError) as error:
        run(for_12_by_12_pixels(), np.zeros(shape, np.float32))
    assert str(error.value) == f"model: expected images of shape (N, 1, 12, 12), found {shape}"


def test_the_images_are_named_behind_a_frozen_prefix_too():
    model = for_12_by_12_pixels()
    model.freeze("maxpool2d")
    with pytest.raises(InputError, match=r"^model: expected images of shape \(N, 1, 12, 12\), found \(2, 1, 6, 6\)$"):
        model(np.zeros((2, 1, 6, 6), np.float32), training=True)


def test_a_model_without_flatten_takes_images_of_another_size():
    model = Sequential(Conv2d(1, 2, 3, rng=rng()), ReLU(), GlobalAvgPool2d(), input_shape=(1, 12, 12))
    assert model.predict(np.zeros((2, 1, 7, 9), np.float32)).shape == (2, 2)


def test_images_of_the_right_size_keep_the_message_of_the_layer():
    with pytest.raises(TypeError, match=r"^conv2d: x: expected float32, the dtype of w, found float64$"):
        for_12_by_12_pixels().predict(np.zeros((2, 1, 12, 12)))
    with pytest.raises(TypeError, match=r"^conv2d: x: expected an array, found list$"):
        for_12_by_12_pixels().predict([0.0])
    with pytest.raises(ValueError, match=r"^conv2d: x: expected a shape \(N, C, H, W\) without zeros"):
        for_12_by_12_pixels().predict(np.zeros((0, 1, 12, 12), np.float32))


def test_a_list_of_layers_is_refused_with_the_right_form():
    with pytest.raises(TypeError, match=r"^Sequential: expected layers, one argument each, found list$"):
        Sequential([ReLU()])
