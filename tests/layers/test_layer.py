"""What all layers share: initial weights, names, state, random state, dtype."""

import json

import numpy as np
import pytest

from tinydnn.layers import BatchNorm2d, Conv2d, Dropout, Flatten, Linear, ReLU, Sequential, he_normal


def rng(seed=0):
    return np.random.default_rng(seed)


def chain(seed=0):
    """A model with every kind of state: parameters, buffers and a generator."""
    return Sequential(
        Conv2d(1, 2, 3, rng=rng(seed)), BatchNorm2d(2), ReLU(), Flatten(), Dropout(0.5, rng=rng(seed)),
        Linear(8, 3, rng=rng(seed)),
    )  # fmt: skip


@pytest.mark.parametrize("fan_in", [9, 288, 4096])
def test_initial_weights_have_mean_zero_and_the_he_variance(fan_in):
    count = 200_000
    weights = he_normal((count // fan_in, fan_in), fan_in, rng())
    std = np.sqrt(2 / fan_in)
    assert abs(weights.mean()) < 4 * std / np.sqrt(weights.size)
    assert weights.std() == pytest.approx(std, rel=4 / np.sqrt(2 * weights.size))
    assert weights.dtype == np.float32


def test_the_fan_in_of_a_convolution_is_channels_times_kernel_area():
    weights = Conv2d(16, 64, 3, rng=rng()).weight.value
    assert weights.std() == pytest.approx(np.sqrt(2 / (16 * 9)), rel=0.03)


def test_the_fan_in_of_a_fully_connected_layer_is_its_inputs():
    weights = Linear(500, 40, rng=rng()).weight.value
    assert weights.std() == pytest.approx(np.sqrt(2 / 500), rel=0.03)


def test_biases_start_at_zero():
    assert not Conv2d(2, 3, 3, rng=rng()).bias.value.any()
    assert not Linear(2, 3, rng=rng()).bias.value.any()


def test_the_seed_determines_the_initial_weights():
    assert np.array_equal(Conv2d(2, 3, 3, rng=rng(1)).weight.value, Conv2d(2, 3, 3, rng=rng(1)).weight.value)
    assert not np.array_equal(Conv2d(2, 3, 3, rng=rng(1)).weight.value, Conv2d(2, 3, 3, rng=rng(2)).weight.value)


def test_a_seed_gives_the_same_weights_on_every_machine():
    # Fixed values: a change here changes every trained model.
    assert he_normal((2, 2), 2, rng()).ravel().tolist() == pytest.approx(
        [0.12573022, -0.13210486, 0.64042264, 0.10490012], abs=1e-8
    )


def test_state_is_named_by_position_layer_and_attribute():
    assert list(chain().parameters()) == [
        "00-conv2d/weight", "00-conv2d/bias", "01-batchnorm2d/gamma", "01-batchnorm2d/beta", "05-linear/weight",
        "05-linear/bias",
    ]  # fmt: skip
    assert list(chain().buffers()) == ["01-batchnorm2d/running_mean", "01-batchnorm2d/running_var"]
    assert list(chain().generators()) == ["04-dropout/rng"]


def test_a_convolution_without_bias_has_one_parameter():
    layer = Conv2d(1, 2, 3, bias=False, rng=rng())
    assert list(layer.parameters()) == ["weight"]
    z, backward = layer(rng().standard_normal((2, 1, 5, 5)).astype(np.float32))
    backward(np.ones_like(z))
    assert layer.weight.grad.shape == layer.weight.value.shape


def test_a_loaded_state_makes_models_equal():
    source, target = chain(1), chain(2)
    source.buffers()["01-batchnorm2d/running_mean"].value = np.array([3, 4], np.float32)
    target.load_state(source.state())
    for name, array in source.state().items():
        assert np.array_equal(target.state()[name], array), name
    x = rng().standard_normal((2, 1, 4, 4)).astype(np.float32)
    assert np.array_equal(source.predict(x), target.predict(x))


def test_a_loaded_state_is_a_copy():
    source, target = chain(1), chain(2)
    target.load_state(source.state())
    source.state()["05-linear/bias"][:] = 7
    assert not target.state()["05-linear/bias"].any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("05-linear/bias"), ["missing ['05-linear/bias']"]),
        (lambda state: state.update(more=np.zeros(1)), ["unknown ['more']"]),
        (
            lambda state: state.update({"00-conv2d/weight": np.zeros((2, 1, 5, 5))}),
            ["00-conv2d/weight", "(2, 1, 3, 3)", "(2, 1, 5, 5)"],
        ),
    ],
    ids=["missing", "unknown", "wrong shape"],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(change, words):
    model = chain(1)
    before = {name: array.copy() for name, array in model.state().items()}
    state = {name: array + 1 for name, array in before.items()}
    change(state)
    with pytest.raises(ValueError) as error:
        model.load_state(state)
    assert all(word in str(error.value) for word in words)
    assert all(np.array_equal(array, before[name]) for name, array in model.state().items())


def test_random_state_survives_json_and_restores_the_draws():
    model, x = chain(), rng(1).standard_normal((2, 1, 4, 4)).astype(np.float32)
    state = json.dumps(model.random_state())
    first = model(x, training=True)[0]
    assert not np.array_equal(model(x, training=True)[0], first)
    model.set_random_state(json.loads(state))
    assert np.array_equal(model(x, training=True)[0], first)


def test_astype_converts_parameters_and_buffers_and_returns_the_layer():
    model = chain()
    assert model.astype(np.float64) is model
    assert {array.dtype for array in model.state().values()} == {np.dtype(np.float64)}
    z, backward = model(np.ones((2, 1, 4, 4)), training=True)
    assert backward(np.ones_like(z)).dtype == np.float64
    assert {parameter.grad.dtype for parameter in model.parameters().values()} == {np.dtype(np.float64)}


def test_backward_sets_gradients_and_does_not_accumulate():
    layer, x = Linear(3, 2, rng=rng()), rng(1).standard_normal((4, 3)).astype(np.float32)
    z, backward = layer(x)
    backward(np.ones_like(z))
    first = layer.weight.grad
    backward(np.ones_like(z))
    assert np.array_equal(layer.weight.grad, first)


def test_calls_of_a_layer_are_stateless():
    layer = Linear(3, 2, rng=rng())
    first_x, second_x = np.full((1, 3), 1, np.float32), np.full((1, 3), 5, np.float32)
    _, first_backward = layer(first_x)
    layer(second_x)
    first_backward(np.ones((1, 2), np.float32))
    assert np.array_equal(layer.weight.grad, np.ones((2, 3)))
