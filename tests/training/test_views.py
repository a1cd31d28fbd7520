"""Several looks at a picture: which they are, and that their answers are averaged."""

import numpy as np
import pytest

from tinydnn.layers import Flatten, Linear, Sequential
from tinydnn.models import baseline_cnn
from tinydnn.training import views as prediction

X = np.random.default_rng(0).standard_normal((3, 1, 32, 32)).astype(np.float32)


def linear(weights):
    model = Sequential(Flatten(), Linear(32 * 32, 1, rng=np.random.default_rng(0)))
    model.layers[1].weight.value = weights.reshape(model.layers[1].weight.value.shape).astype(np.float32)
    return model


def test_one_view_is_the_model_itself():
    model = baseline_cnn(image_size=32)
    assert (prediction.logits(model, X) == model.predict(X)).all()


def test_two_views_are_the_picture_and_its_mirror_image():
    model = baseline_cnn(image_size=32)
    expected = (model.predict(X) + model.predict(np.ascontiguousarray(X[..., ::-1]))) / 2
    assert prediction.logits(model, X, 2) == pytest.approx(expected, abs=1e-6)
    assert prediction.logits(model, X, 2) == pytest.approx(prediction.logits(model, X[..., ::-1], 2), abs=1e-6)


def test_ten_views_look_at_a_pixel_and_its_four_neighbours_on_both_sides():
    seen = np.zeros((32, 32))
    for row in range(32):
        for column in range(32):
            x = np.zeros((1, 1, 32, 32), np.float32)
            x[0, 0, row, column] = 1
            weights = np.zeros((32, 32))
            weights[10, 7] = 1
            seen[row, column] = prediction.logits(linear(weights), x, 10)[0, 0]
    around = {(10, 7), (9, 7), (11, 7), (10, 6), (10, 8)}
    assert {tuple(place) for place in np.argwhere(seen)} == around | {(row, 31 - column) for row, column in around}
    assert seen.sum() == pytest.approx(1)


def test_what_is_moved_in_repeats_the_border():
    ones = np.ones((1, 1, 32, 32), np.float32)
    assert prediction.logits(linear(np.ones((32, 32))), ones, 10) == pytest.approx(32 * 32)


def test_another_number_of_views_is_not_known():
    with pytest.raises(ValueError, match="views: expected one of 1, 2, 10, found 3"):
        prediction.logits(baseline_cnn(image_size=32), X, 3)
