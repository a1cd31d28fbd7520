"""The worked example reproduces the paper's figures, and agrees with plain arithmetic everywhere."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest

from tinydnn.models.worked_example import Parameters, worked_example

ALPHA, X, Y = 0.1, (0.5, 0.8), 1.0
HIDDEN = [[0.2, -0.4], [0.6, 0.3], [-0.5, 0.8]]
HIDDEN_BIAS = [0.1, -0.2, 0.3]
OUTPUT = [0.5, -0.3, 0.8]


@pytest.fixture(scope="module")
def example():
    return worked_example()


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def forward(w, b, v, c):
    z = [w[k][0] * X[0] + w[k][1] * X[1] + b[k] for k in range(3)]
    h = [sigmoid(z[k]) for k in range(3)]
    s = sum(v[k] * h[k] for k in range(3)) + c
    return z, h, s, sigmoid(s)


def backward(w, b, v, c):
    """All gradients by the chain rule, written out for this one network."""
    _, h, _, y = forward(w, b, v, c)
    d = 2 * (y - Y) * y * (1 - y)
    d_hidden = [d * v[k] * h[k] * (1 - h[k]) for k in range(3)]
    dw = [[d_hidden[k] * X[0], d_hidden[k] * X[1]] for k in range(3)]
    return d, d_hidden, dw, [d * h[k] for k in range(3)]


def step(w, b, v, c):
    d, d_hidden, dw, dv = backward(w, b, v, c)
    w = [[w[k][i] - ALPHA * dw[k][i] for i in range(2)] for k in range(3)]
    b = [b[k] - ALPHA * d_hidden[k] for k in range(3)]
    return w, b, [v[k] - ALPHA * dv[k] for k in range(3)], c - ALPHA * d


def solved_network():
    """Weights and biases by plain arithmetic: the output bias solves σ(Σ v·h + c) = 0.7."""
    h = forward(HIDDEN, HIDDEN_BIAS, OUTPUT, 0.0)[1]
    c = math.log(0.7 / 0.3) - sum(OUTPUT[k] * h[k] for k in range(3))
    return HIDDEN, HIDDEN_BIAS, OUTPUT, c


NETWORK = solved_network()


@pytest.fixture(scope="module")
def network():
    return NETWORK


def exactly(expected):
    return pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_papers_figures(example):
    assert example.prediction == exactly(0.7)
    assert example.error == exactly(0.09)
    assert example.output_gradient == exactly(-0.126)


def test_the_default_is_a_2_3_1_network_with_these_inputs(example):
    assert tuple(example.x) == X
    assert (example.label, example.learning_rate) == (Y, ALPHA)
    assert example.weights.hidden.shape == (3, 2)
    assert example.weights.output.shape == (3,)


def test_the_forward_pass(example, network):
    z, h, s, y = forward(*network)
    assert list(example.hidden_sum) == exactly(z)
    assert list(example.hidden) == exactly(h)
    assert example.output_sum == exactly(s)
    assert example.prediction == exactly(y)


def test_the_three_hidden_gradients(example, network):
    assert list(example.hidden_gradient) == exactly(backward(*network)[1])


def test_the_gradients_of_all_weights_and_biases(example, network):
    d, d_hidden, dw, dv = backward(*network)
    np.testing.assert_allclose(example.gradients.hidden, dw, rtol=1e-12)
    assert list(example.gradients.hidden_bias) == exactly(d_hidden)
    assert list(example.gradients.output) == exactly(dv)
    assert example.gradients.output_bias == exactly(d)


def test_the_updated_weights_and_biases(example, network):
    w, b, v, c = step(*network)
    np.testing.assert_allclose(example.updated.hidden, w, rtol=1e-12)
    assert list(example.updated.hidden_bias) == exactly(b)
    assert list(example.updated.output) == exactly(v)
    assert example.updated.output_bias == exactly(c)


def test_the_weights_before_the_step_are_unchanged(example, network):
    w, b, v, c = network
    assert (example.weights.hidden.tolist(), example.weights.hidden_bias.tolist()) == (w, b)
    assert (example.weights.output.tolist(), example.weights.output_bias) == (v, exactly(c))


def test_the_error_falls(example, network):
    y = forward(*step(*network))[3]
    assert example.prediction_after == exactly(y)
    assert example.error_after == exactly((Y - y) ** 2)
    assert example.error_after < example.error


def test_after_many_steps_the_prediction_nears_the_label(example, network):
    later = {}
    for iteration in range(1, 10001):
        network = step(*network)
        if iteration in (10, 100, 1000, 10000):
            later[iteration] = exactly(forward(*network)[3])
    assert dict(example.later) == later
    assert sorted(example.later.values()) == list(example.later.values())
    assert example.later[10000] > 0.99


def test_the_numeric_derivatives_are_the_gradients(example):
    for name in ("hidden", "hidden_bias", "output", "output_bias"):
        np.testing.assert_allclose(getattr(example.numeric, name), getattr(example.gradients, name), rtol=0, atol=1e-10)


def test_the_numeric_derivatives_do_not_come_from_the_backward_pass(monkeypatch):
    monkeypatch.setattr("tinydnn.models.worked_example.LATER", (1,))
    monkeypatch.setattr("tinydnn.layers.Linear.__call__", without_gradient)
    example = worked_example()
    assert not example.gradients.output.any()
    assert example.numeric.output == pytest.approx(backward(*NETWORK)[3], abs=1e-10)


def without_gradient(layer, x, *, training=False):
    z = x @ layer.weight.value.T + layer.bias.value

    def backward(dz, need_dx=True):
        layer.weight.grad, layer.bias.grad = np.zeros_like(layer.weight.value), np.zeros_like(layer.bias.value)
        return np.zeros_like(x)

    return z, backward


def test_own_values_give_the_gradients_of_plain_arithmetic(monkeypatch):
    monkeypatch.setattr("tinydnn.models.worked_example.LATER", (1,))
    weights = Parameters(
        np.array([[1.0, -2], [0.5, 0], [-1, 3]]), np.array([0.0, 1, -1]), np.array([2.0, -1, 0.5]), 0.3
    )
    example = worked_example((-1.0, 0.25), 0.0, 0.5, weights)
    x, h = (-1.0, 0.25), [sigmoid(z) for z in (-1.5, 0.5, 0.75)]
    y = sigmoid(2 * h[0] - h[1] + 0.5 * h[2] + 0.3)
    d = 2 * y * y * (1 - y)
    d_hidden = [d * v * h_k * (1 - h_k) for v, h_k in zip((2, -1, 0.5), h, strict=True)]
    assert (example.prediction, example.error) == (exactly(y), exactly(y**2))
    np.testing.assert_allclose(example.gradients.hidden, np.outer(d_hidden, x), rtol=1e-12)
    assert example.updated.output_bias == exactly(0.3 - 0.5 * d)
    assert weights.output_bias == 0.3
    assert weights.hidden.tolist() == [[1, -2], [0.5, 0], [-1, 3]]


def test_the_example_script_prints_the_same_numbers(example, capsys):
    runpy.run_path(str(Path(__file__).parents[2] / "examples" / "worked_example.py"))
    printed = capsys.readouterr().out
    rows = {0: example.prediction, 1: example.prediction_after, **example.later}
    for step, prediction in rows.items():
        error = (example.label - prediction) ** 2
        assert f"after {step:>5} steps: prediction {prediction:.6g}, error {error:.6g}\n" in printed
    assert f"output gradient {example.output_gradient:.6g}\n" in printed
    assert ", ".join(f"{gradient:.6g}" for gradient in example.hidden_gradient) in printed
