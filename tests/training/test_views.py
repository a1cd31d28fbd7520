"""Test-time views: which pixels they cover, and the mean of their logits."""

import numpy as np
import pytest

from tinydnn.layers import Flatten, Linear, Sequential
from tinydnn.models import baseline_cnn
from tinydnn.training.views import mean_logits

X = np.random.default_rng(0).standard_normal((3, 1, 32, 32)).astype(np.float32)


def linear(weights):
    """A model whose only logit is the sum of the pixels, weighted by `weights` (32, 32)."""
    model = Sequential(Flatten(), Linear(32 * 32, 1, rng=np.random.default_rng(0)))
    model.layers[1].weight.value = weights.reshape(model.layers[1].weight.value.shape).astype(np.float32)
    return model


def test_one_view_is_the_image_itself():
    model = baseline_cnn(image_size=32)
    assert (mean_logits(model, X) == model.predict(X)).all()


def test_two_views_are_the_image_and_its_mirror_image():
    model = baseline_cnn(image_size=32)
    expected = (model.predict(X) + model.predict(np.ascontiguousarray(X[..., ::-1]))) / 2
    assert mean_logits(model, X, 2) == pytest.approx(expected, abs=1e-6)
    assert mean_logits(model, X, 2) == pytest.approx(mean_logits(model, X[..., ::-1], 2), abs=1e-6)


def test_ten_views_shift_the_image_and_its_mirror_image_by_one_pixel():
    contributions = np.zeros((32, 32))
    for row in range(32):
        for column in range(32):
            x = np.zeros((1, 1, 32, 32), np.float32)
            x[0, 0, row, column] = 1
            weights = np.zeros((32, 32))
            weights[10, 7] = 1
            contributions[row, column] = mean_logits(linear(weights), x, 10)[0, 0]
    around = {(10, 7), (9, 7), (11, 7), (10, 6), (10, 8)}
    expected = around | {(row, 31 - column) for row, column in around}
    assert {tuple(place) for place in np.argwhere(contributions)} == expected
    assert contributions.sum() == pytest.approx(1)


def test_a_shift_repeats_the_border_pixels():
    ones = np.ones((1, 1, 32, 32), np.float32)
    assert mean_logits(linear(np.ones((32, 32))), ones, 10) == pytest.approx(32 * 32)


def test_other_numbers_of_views_are_refused():
    with pytest.raises(ValueError, match="views: expected one of 1, 2, 10, found 3"):
        mean_logits(baseline_cnn(image_size=32), X, 3)
