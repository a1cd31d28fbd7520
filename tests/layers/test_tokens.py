"""Tokens: from feature maps and back, their positions, their mean, layers that take them, and residuals."""

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.layers import (
    GELU,
    Conv2d,
    Linear,
    PositionalEmbedding,
    Residual,
    Sequential,
    TokenMean,
    Tokens,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def array(*shape):
    return rng(1).standard_normal(shape).astype(np.float32)


def test_a_token_holds_the_features_of_its_position():
    x = array(2, 3, 4, 5)
    z, backward = Tokens()(x)
    assert z.shape == (2, 20, 3)
    np.testing.assert_array_equal(z[1, 2 * 5 + 3], x[1, :, 2, 3])
    np.testing.assert_array_equal(backward(z), x)


def test_positions_are_added_to_the_tokens_of_every_image():
    layer, x = PositionalEmbedding(5, 3, rng=rng()), array(2, 5, 3)
    z, backward = layer(x)
    np.testing.assert_array_equal(z, x + layer.weight.value)
    assert backward(x, need_dx=False) is None
    np.testing.assert_array_equal(layer.weight.grad, x.sum(axis=0))


def test_another_number_of_tokens_is_refused():
    with pytest.raises(ValueError, match=r"expected tokens of shape \(N, 5, 3\), found \(2, 1, 3\)"):
        PositionalEmbedding(5, 3, rng=rng())(array(2, 1, 3))


def test_a_model_with_positions_takes_one_image_size():
    model = Sequential(
        Conv2d(1, 3, 2, stride=2, rng=rng()), Tokens(), PositionalEmbedding(4, 3, rng=rng()), input_shape=(1, 4, 4)
    )
    assert model.predict(array(2, 1, 4, 4)).shape == (2, 4, 3)
    with pytest.raises(InputError, match=r"expected images of shape \(N, 1, 4, 4\), found \(2, 1, 2, 8\)"):
        model.predict(array(2, 1, 2, 8))


def test_the_mean_of_tokens_is_that_of_numpy():
    x = array(2, 5, 3)
    z, backward = TokenMean()(x)
    np.testing.assert_allclose(z, x.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(backward(z), np.repeat(z[:, None] / 5, 5, axis=1), rtol=1e-6)


def test_linear_transforms_each_token_alone():
    layer, x = Linear(3, 4, rng=rng()), array(2, 5, 3)
    z, backward = layer(x)
    rows, rows_backward = layer(x.reshape(10, 3))
    np.testing.assert_array_equal(z, rows.reshape(2, 5, 4))
    dx, grad = backward(z), layer.weight.grad
    np.testing.assert_array_equal(dx, rows_backward(rows).reshape(2, 5, 3))
    np.testing.assert_array_equal(layer.weight.grad, grad)
    assert layer.flops((5, 3), (5, 4)) == 2 * 5 * 4 * 3


def test_linear_refuses_an_image():
    with pytest.raises(ValueError, match=r"linear: x: expected a shape \(N, I\) without zeros, found \(2, 1, 5, 3\)"):
        Linear(3, 4, rng=rng())(array(2, 1, 5, 3))


def test_a_residual_adds_its_branch():
    branch = Sequential(Linear(3, 3, rng=rng()), GELU())
    layer, x = Residual(branch), array(2, 5, 3)
    z, backward = layer(x)
    f, branch_backward = branch(x)
    np.testing.assert_array_equal(z, x + f)
    np.testing.assert_array_equal(layer.predict(x), z)
    np.testing.assert_array_equal(backward(z), z + branch_backward(z))
    assert backward(z, need_dx=False) is None
    assert list(layer.parameters()) == ["00-sequential/00-linear/weight", "00-sequential/00-linear/bias"]
    assert layer.flops((5, 3), (5, 3)) == branch.flops((5, 3), (5, 3)) + 15


def test_a_branch_that_changes_the_shape_is_refused():
    layer = Residual(Sequential(Linear(3, 1, rng=rng())))
    with pytest.raises(
        ValueError, match=r"expected a branch whose output has its input's shape \(2, 3\), found \(2, 1\)"
    ):
        layer(array(2, 3))
