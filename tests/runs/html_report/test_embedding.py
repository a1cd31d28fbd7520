"""The features before the classifier and their principal components."""

import numpy as np
import pytest

from tinydnn.runs.html_report.embedding import principal_components


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
