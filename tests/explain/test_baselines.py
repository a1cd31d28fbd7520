"""Explanations that know nothing of the network."""

import numpy as np
import pytest

from tinydnn.explain.baselines import BASELINES
from tinydnn.layers import Sequential

MODEL = Sequential()
X = np.random.default_rng(0).standard_normal((40, 2, 12, 16)).astype(np.float32)
CLASSES = np.zeros(40, int)


def maps(name, x=X):
    return BASELINES[name].maps(MODEL, x, CLASSES[: len(x)])


@pytest.mark.parametrize("name", BASELINES)
def test_maps_are_finite_from_0_and_of_the_dtype_of_the_images(name):
    found = maps(name)
    assert (found.shape, found.dtype) == ((40, 12, 16), np.float32)
    assert (found >= 0).all()
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", BASELINES)
def test_the_batch_of_an_image_does_not_matter(name):
    assert (maps(name, X[33:36]) == maps(name)[33:36]).all()


def test_the_gaussian_is_highest_in_the_middle_and_symmetric():
    a = maps("centre-gaussian")[0]
    assert np.unravel_index(a.argmax(), a.shape) in [(5, 7), (5, 8), (6, 7), (6, 8)]
    assert a == pytest.approx(a[::-1, ::-1])
    assert a[5, 0] / a[5, 7] == pytest.approx(np.exp(-((7.5 / 16) ** 2 - (0.5 / 16) ** 2) * 8))


def test_edges_are_where_the_picture_changes():
    x = np.zeros((1, 1, 8, 8), np.float32)
    x[..., 4:] = 1
    a = maps("edges", x)[0]
    assert (a[:, 3:5] == 4).all()  # 1 + 2 + 1
    assert (np.delete(a, (3, 4), axis=1) == 0).all()
    assert (maps("edges", x.swapaxes(2, 3))[0] == a.T).all()


def test_chance_is_uniform_and_independent_between_images():
    a = maps("chance").reshape(40, -1)
    assert a.mean() == pytest.approx(0.5, abs=0.02)
    assert a.std() == pytest.approx(12**-0.5, abs=0.02)
    assert abs(np.corrcoef(a) - np.eye(40)).max() < 0.4
