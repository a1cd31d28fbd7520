"""Deletion and insertion curves, on a linear model whose probabilities are known."""

import numpy as np
import pytest

from tinydnn.explain.faithfulness import area_under_curve, deletion_curve, insertion_curve
from tinydnn.explain.gradient_x_input import gradient_x_input
from tinydnn.explain.image_filters import blur
from tinydnn.layers import Flatten, Linear, Sequential

SIDE, STEPS = 4, 8
W = np.random.default_rng(1).standard_normal(SIDE**2)
X = np.random.default_rng(2).standard_normal((40, 1, SIDE, SIDE))
CLASSES = np.zeros(40, int)


@pytest.fixture
def model():
    """Logits (w · x, 0): the probability of class 0 is the logistic function of w · x."""
    linear = Linear(SIDE**2, 2, rng=np.random.default_rng(0))
    linear.astype(np.float64)
    linear.weight.value[...] = np.stack([W, np.zeros(SIDE**2)])
    return Sequential(Flatten(), linear, input_shape=(1, SIDE, SIDE))


def probability(images):
    return 1 / (1 + np.exp(-images.reshape(len(images), -1) @ W))


def changed(maps, t):
    """Whether a pixel is among the t most relevant, (N, 1, H, W)."""
    order = np.argsort(-maps.reshape(len(maps), -1), axis=1)
    chosen = np.zeros((len(maps), SIDE**2), bool)
    np.put_along_axis(chosen, order[:, :t], True, axis=1)
    return chosen.reshape(-1, 1, SIDE, SIDE)


def test_deletion_sets_the_most_relevant_pixels_to_0(model):
    maps = np.random.default_rng(3).random((40, SIDE, SIDE))
    curves = deletion_curve(model, X, CLASSES, maps, steps=STEPS)
    assert curves.shape == (40, STEPS + 1)
    for t in range(STEPS + 1):
        assert curves[:, t] == pytest.approx(probability(np.where(changed(maps, 2 * t), 0, X)))
    assert curves[:, -1].tolist() == [0.5] * 40


def test_insertion_goes_from_the_blurred_image_to_the_image(model):
    maps = np.random.default_rng(3).random((40, SIDE, SIDE))
    curves = insertion_curve(model, X, CLASSES, maps, steps=STEPS)
    blurred = blur(X, 5 / 224 * SIDE)
    for t in range(STEPS + 1):
        assert curves[:, t] == pytest.approx(probability(np.where(changed(maps, 2 * t), X, blurred)))


def test_the_other_class_has_the_other_probability(model):
    maps = np.random.default_rng(3).random((40, SIDE, SIDE))
    first, second = (deletion_curve(model, X, classes, maps) for classes in (CLASSES, CLASSES + 1))
    assert first + second == pytest.approx(np.ones(first.shape))


def test_no_order_deletes_better_than_the_terms_of_a_linear_model(model):
    # The k largest terms w·x are the k pixels whose removal lowers the sum most, at every k.
    best = gradient_x_input(model, X, CLASSES)[:, 0]
    areas = area_under_curve(deletion_curve(model, X, CLASSES, best - best.min(), steps=SIDE**2))
    for seed in range(5):
        maps = np.random.default_rng(seed).random(best.shape)
        assert (areas <= area_under_curve(deletion_curve(model, X, CLASSES, maps, steps=SIDE**2))).all()


def test_pixels_of_equal_relevance_are_removed_in_reading_order():
    side = 32  # an unstable sort keeps the order of few values
    model = Sequential(Flatten(), Linear(side**2, 2, rng=np.random.default_rng(0)))
    x, maps = np.random.default_rng(0).random((2, 1, 1, side, side), np.float32)
    levels = np.round(2 * maps[0])
    ordered = levels - np.arange(side**2).reshape(side, side) / side**2
    ties, distinct = (deletion_curve(model, x, CLASSES[:1], a) for a in (levels, ordered))
    assert (ties == distinct).all()


def test_the_area_is_that_of_trapezoids():
    curves = np.array([[1.0, 0.5, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    assert area_under_curve(curves).tolist() == [0.5, 1.0, 0.5]
    t = np.linspace(0, 1, 101)[None]
    assert area_under_curve(t**2) == pytest.approx(np.trapezoid(t**2, t))


def test_blur_keeps_a_constant_image_and_each_channel_apart():
    x = np.zeros((1, 2, 9, 9), np.float32)
    x[0, 0] = 3
    assert blur(x, 2.0) == pytest.approx(x)
    assert blur(x, 2.0).dtype == np.float32
