"""The features before the classifier and their principal components."""

import numpy as np
import pytest

from tinydnn.models import MODELS
from tinydnn.runs.html_report.embedding import classifier_features, principal_components


def test_the_components_are_those_of_the_singular_value_decomposition():
    features = np.random.default_rng(0).standard_normal((20, 7)) * np.arange(1, 8)
    points, shares = principal_components(features)
    u, s, _ = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    assert abs(points) == pytest.approx(abs(u * s)[:, :2])
    assert shares == pytest.approx(s[:2] ** 2 / (s**2).sum())


def test_the_coordinate_furthest_from_zero_is_positive():
    features = np.random.default_rng(1).standard_normal((20, 3))
    for sign in (1, -1):
        points, _ = principal_components(sign * features)
        assert (points.max(axis=0) == abs(points).max(axis=0)).all()


def test_equal_features_are_one_point():
    points, shares = principal_components(np.ones((3, 4)))
    assert not points.any()
    assert not shares.any()
    assert principal_components(np.ones((1, 4)))[0].tolist() == [[0, 0]]


@pytest.mark.parametrize(("name", "width"), [("baseline", 128), ("batchnorm", 128), ("regions", 128)])
def test_features_are_the_input_of_the_last_layer_that_learns(name, width):
    model = MODELS[name](image_size=32)
    x = np.random.default_rng(0).standard_normal((2, 1, 32, 32)).astype(np.float32)
    features = classifier_features(model, x)
    assert features.shape == (2, width)
    if name != "regions":  # its classifier is a convolution, applied at every position
        assert model.layers[-1].predict(features) == pytest.approx(model.predict(x), rel=1e-5)
