"""Dropout as a layer: random masks in training, the identity in evaluation."""

import numpy as np
import pytest

from tinydnn.layers import Dropout
from tinydnn.layers.dropout import dropout_masks


def dropout(rate=0.5, seed=0):
    return Dropout(rate, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_training_zeroes_a_share_of_rate_and_preserves_the_mean(rate):
    z = dropout(rate)(np.ones((500, 400), np.float32), training=True)[0]
    spread = 4 * np.sqrt(rate * (1 - rate) / z.size)
    assert abs((z == 0).mean() - rate) < spread
    assert abs(z.mean() - 1) < spread / (1 - rate)
    assert set(np.unique(z)) == {np.float32(0), np.float32(1) / np.float32(1 - rate)}


def test_the_gradient_passes_where_the_value_passed():
    z, backward = dropout()(np.ones((8, 50), np.float32), training=True)
    assert np.array_equal(backward(np.ones_like(z)), z)


def test_evaluation_is_the_identity_and_draws_nothing():
    layer, x = dropout(), np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    before = layer.random_state()
    z, backward = layer(x)
    assert np.array_equal(z, x)
    assert np.array_equal(backward(2 * x), 2 * x)
    assert layer.random_state() == before


def test_the_seed_determines_the_masks_and_every_call_draws_a_new_one():
    x = np.ones((4, 100), np.float32)
    layer, same_seed, other_seed = dropout(seed=1), dropout(seed=1), dropout(seed=2)
    first = layer(x, training=True)[0]
    assert np.array_equal(first, same_seed(x, training=True)[0])
    assert not np.array_equal(first, layer(x, training=True)[0])
    assert not np.array_equal(first, other_seed(x, training=True)[0])


def test_the_masks_do_not_depend_on_the_dtype():
    x = np.ones((4, 100))
    assert np.array_equal(dropout()(x, training=True)[0], dropout()(x.astype(np.float32), training=True)[0])


def test_a_rate_of_zero_is_the_identity():
    x = np.ones((4, 100), np.float32)
    assert np.array_equal(dropout(0.0)(x, training=True)[0], x)


def test_a_training_call_leaves_no_state_in_the_layer():
    layer = dropout()
    before = dict(vars(layer))
    assert before.keys() == {"rate", "rng"}
    layer(np.ones((4, 100), np.float32), training=True)
    assert vars(layer).keys() == before.keys()
    assert all(vars(layer)[name] is member for name, member in before.items())


def test_dropout_masks_supplies_the_mask_and_nothing_is_drawn():
    layer, x = dropout(rate=0.75), np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    mask, calls = np.array([[True, False, True], [False, False, True]]), []

    def source(*arguments):
        calls.append(arguments)
        return mask

    before = layer.random_state()
    with dropout_masks(source):
        z, backward = layer(x, training=True)
        assert layer(x)[0] is x  # evaluation needs no mask
    assert calls == [(layer, (2, 3))]
    assert z.tolist() == [[4, 0, 12], [0, 0, 24]]
    assert backward(np.ones_like(x)).tolist() == [[4, 0, 4], [0, 0, 4]]
    assert layer.random_state() == before
    layer(x, training=True)  # outside the block the layer draws again
    assert len(calls) == 1
    assert layer.random_state() != before


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2.0, float("nan")])
def test_a_rate_outside_zero_to_one_is_refused(rate):
    with pytest.raises(ValueError, match=r"rate: expected 0 <= rate < 1"):
        dropout(rate)
