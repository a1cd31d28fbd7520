"""The score and its gradient."""

import numpy as np
import pytest

from tinydnn.explain.score import keep_gradients, one_hot, score_gradient, scores


def test_the_score_is_the_logit_of_the_class():
    logits = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_array_equal(scores(logits, np.array([2, 0])), [3, 4])


def test_the_gradient_of_the_score_by_the_logits_is_one_hot():
    dz = one_hot(np.array([2, 0]), np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(dz, [[0, 0, 1], [1, 0, 0]])
    assert dz.dtype == np.float32


def test_the_gradients_of_the_parameters_are_restored(make_network, make_images):
    model, (x, classes) = make_network("nested"), make_images()
    kept = {name: object() for name in model.parameters()}
    for name, parameter in model.parameters().items():
        parameter.grad = kept[name]
    score_gradient(model, x, classes)
    assert {name: parameter.grad for name, parameter in model.parameters().items()} == kept


def test_the_gradients_of_the_parameters_are_restored_after_an_error(make_network):
    model = make_network("linear")
    [parameter, *_] = model.parameters().values()
    parameter.grad = before = object()

    def overwrite():
        with keep_gradients(model):
            parameter.grad = None
            raise RuntimeError

    with pytest.raises(RuntimeError):
        overwrite()
    assert parameter.grad is before


def test_the_model_runs_in_evaluation_mode(make_network, make_images):
    model, (x, classes) = make_network("nested"), make_images()
    state = {name: value.copy() for name, value in model.state().items()}
    score_gradient(model, x, classes)
    for name, value in model.state().items():
        np.testing.assert_array_equal(value, state[name])
