"""Dropout as a layer: random in training, nothing in evaluation."""

import numpy as np
import pytest

from tinydnn.layers import Dropout


def dropout(rate=0.5, seed=0):
    return Dropout(rate, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_expectation_stays_and_the_rate_is_what_is_left_out(rate):
    z = dropout(rate)(np.ones((500, 400), np.float32), training=True)[0]
    spread = 4 * np.sqrt(rate * (1 - rate) / z.size)
    assert abs((z == 0).mean() - rate) < spread
    assert abs(z.mean() - 1) < spread / (1 - rate)
    assert set(np.unique(z)) == {np.float32(0), np.float32(1) / np.float32(1 - rate)}


def test_the_gradient_passes_where_the_value_did():
    z, backward = dropout()(np.ones((8, 50), np.float32), training=True)
    assert np.array_equal(backward(np.ones_like(z)), z)


def test_in_evaluation_nothing_happens_and_nothing_is_drawn():
    layer, x = dropout(), np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    before = layer.random_state()
    z, backward = layer(x)
    assert np.array_equal(z, x)
    assert np.array_equal(backward(2 * x), 2 * x)
    assert layer.random_state() == before


def test_a_seed_decides_the_masks_and_every_call_draws_a_new_one():
    x = np.ones((4, 100), np.float32)
    one, same, other = dropout(seed=1), dropout(seed=1), dropout(seed=2)
    first = one(x, training=True)[0]
    assert np.array_equal(first, same(x, training=True)[0])
    assert not np.array_equal(first, one(x, training=True)[0])
    assert not np.array_equal(first, other(x, training=True)[0])


def test_the_masks_do_not_depend_on_the_number_type():
    x = np.ones((4, 100))
    assert np.array_equal(dropout()(x, training=True)[0], dropout()(x.astype(np.float32), training=True)[0])


def test_a_rate_of_zero_keeps_everything():
    x = np.ones((4, 100), np.float32)
    assert np.array_equal(dropout(0.0)(x, training=True)[0], x)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2.0, float("nan")])
def test_a_rate_outside_zero_to_one_is_refused(rate):
    with pytest.raises(ValueError, match=r"rate: expected 0 <= rate < 1"):
        dropout(rate)
