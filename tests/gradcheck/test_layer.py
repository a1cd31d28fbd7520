"""Layers and whole models are checked like functions of x and all parameters."""

import numpy as np
import pytest

from tinydnn import layers, models
from tinydnn.gradcheck import Verdict, gradcheck_layer
from tinydnn.gradcheck.layer_cases import LAYER_CASES


def normal(shape):
    return np.random.default_rng(5).standard_normal(shape)


X = normal((2, 3, 5, 5))


def verdicts(report) -> dict[str, str]:
    return {check.argument: check.verdict for check in report.checks}


def test_a_layer_is_checked_in_float64_and_does_not_change():
    layer = layers.Conv2d(3, 4, 3, rng=np.random.default_rng(0))
    before = layer.weight.value
    report = gradcheck_layer(layer, X)
    assert verdicts(report) == {"x": "ok", "weight": "ok", "bias": "ok"}
    assert layer.weight.value is before
    assert layer.weight.value.dtype == np.float32


def test_dropout_draws_the_same_mask_and_keeps_its_generator():
    layer = layers.Dropout(0.5, rng=np.random.default_rng(0))
    before = layer.random_state()
    assert gradcheck_layer(layer, normal((6, 7))).ok
    assert layer.random_state() == before


def test_a_layer_with_a_wrong_gradient_is_caught():
    class Forgetful(layers.Linear):
        def __call__(self, x, *, training=False):
            z, backward = super().__call__(x, training=training)

            def wrong(dz, need_dx=True):
                dx = backward(dz, need_dx=need_dx)
                self.bias.grad = self.bias.grad[:1] * np.ones(3)
                return dx

            return z, wrong

    report = gradcheck_layer(Forgetful(4, 3, rng=np.random.default_rng(0)), normal((5, 4)))
    assert verdicts(report) == {"x": "ok", "weight": "ok", "bias": "wrong"}


def test_a_fault_in_a_model_is_reported_for_its_parameter():
    class Conv2d(layers.Conv2d):
        def layer_backward(self, op_backward):
            right = super().layer_backward(op_backward)

            def backward(dz, need_dx=True):
                dx = right(dz, need_dx=need_dx)
                self.weight.grad = -self.weight.grad
                return dx

            return backward

    model = models.baseline_cnn(image_size=16)
    model.layers[3].__class__ = Conv2d
    report = gradcheck_layer(model, normal((2, 1, 16, 16)))
    assert {name for name, verdict in verdicts(report).items() if verdict != "ok"} == {"03-conv2d/weight"}
    assert report.worst.verdict is Verdict.SIGN


@pytest.mark.parametrize("case", [case for case in LAYER_CASES if hasattr(layers, case.name)], ids=str)
def test_the_gradients_of_every_layer_are_proven(case):
    gradcheck_layer(case.make(), case.x(), training=case.training).raise_if_failed()
