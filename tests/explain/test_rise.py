"""RISE: random masks, weighted by the probability of the class behind them."""

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.explain import rise
from tinydnn.explain.rise import random_masks
from tinydnn.layers import Flatten, Linear, Sequential


def masks_of(x, count=50, cells=3, keep=0.5, seed=0):
    return np.array(list(random_masks(x, count, cells, keep, seed)))


def test_the_map_is_the_mean_mask_weighted_by_the_probability(make_network, make_images):
    model, (x, classes) = make_network("paper_like"), make_images()
    expected = np.zeros((len(x), 12, 16))
    for mask in masks_of(x, 20, 3, 0.3, 5):
        logits = model.predict(x * mask)
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        expected += p[np.arange(len(x)), classes][:, None, None] * mask / (20 * 0.3)
    a = rise(model, x, classes, masks=20, cells=3, keep=0.3, seed=5)
    np.testing.assert_allclose(a, expected, rtol=1e-10)


@pytest.mark.parametrize("shape", [(1, 1, 12, 16), (1, 3, 7, 5), (1, 1, 2, 2)])
def test_masks_have_the_size_of_the_image_and_values_from_0_to_1(shape):
    masks = masks_of(np.zeros(shape), 20, cells=4)
    assert masks.shape == (20, *shape[2:])
    assert masks.min() >= 0
    assert masks.max() <= 1


@pytest.mark.parametrize("keep", [0.2, 0.5])
def test_every_pixel_is_visible_as_often_as_asked(keep):
    masks = masks_of(np.zeros((1, 1, 12, 16)), 4000, 3, keep)
    np.testing.assert_allclose(masks.mean(axis=0), keep, atol=0.05)


def test_masks_are_shifted_at_random():
    """Unshifted, all masks would be constant up to the middle of the first cell."""
    masks = masks_of(np.zeros((1, 1, 40, 40)), 200, cells=2)
    for axis in (1, 2):
        assert np.abs(np.diff(masks, axis=axis)).sum(axis=(0, 3 - axis)).min() > 0


def test_a_seed_gives_the_same_bits_and_another_seed_other_masks(make_network, make_images):
    model, (x, classes) = make_network("paper_like"), make_images()
    first, again, other = (rise(model, x, classes, masks=8, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_the_part_that_the_class_depends_on_is_found():
    model = Sequential(Flatten(), Linear(24 * 24, 2, rng=np.random.default_rng(0)))
    weight = np.zeros((24, 24), np.float32)
    weight[15:19, 4:8] = 1
    model.layers[-1].weight.value = np.stack([0 * weight.ravel(), weight.ravel()])
    model.layers[-1].bias.value = np.array([8, 0], np.float32)  # half of the part must be visible
    [a] = rise(model, np.ones((1, 1, 24, 24), np.float32), np.array([1]), masks=400)
    i, j = np.unravel_index(a.argmax(), a.shape)
    assert 14 <= i <= 19
    assert 3 <= j <= 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"masks": 0}, "expected at least 1 mask and 1 cell, found 0 and 7"),
        ({"cells": 0}, "expected at least 1 mask and 1 cell, found 1000 and 0"),
        ({"keep": 0.0}, "keep: expected a probability between 0 and 1, found 0.0"),
        ({"keep": 1.0}, "keep: expected a probability between 0 and 1, found 1.0"),
    ],
)
def test_no_mask_or_an_impossible_probability_is_an_error(options, message, make_network, make_images):
    with pytest.raises(InputError, match=f"rise: {message}"):
        rise(make_network("linear"), *make_images(), **options)
