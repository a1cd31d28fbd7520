"""In every implementation, the first of equal pixels in reading order is the argmax and takes the whole gradient."""

import itertools

import numpy as np
import pytest

from tinydnn import ops

IMPLEMENTATIONS = ops.maxpool2d.names()
PIXEL = np.ones((1, 1, 2, 2)), np.ones((1, 1, 1, 1)), np.zeros(1)
BLOCKS = ops.conv2d_relu_maxpool2d.supporting(*PIXEL)


def windows():
    """Every 2 × 2 window of the values 0, 1 and 2 as an image of its own: all possible ties."""
    return np.array(list(itertools.product([0.0, 1.0, 2.0], repeat=4))).reshape(-1, 1, 2, 2)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_pooling_gives_the_gradient_to_the_first_of_equals(name):
    x = windows()
    with ops.use(maxpool2d=name):
        z, backward = ops.maxpool2d(x)
    dx = backward(np.full_like(z, 3.0))
    flat = x.reshape(-1, 4)
    expected = np.zeros_like(flat)
    expected[np.arange(len(flat)), flat.argmax(axis=1)] = 3  # argmax takes the first
    assert np.array_equal(z.ravel(), flat.max(axis=1))
    assert np.array_equal(dx.reshape(-1, 4), expected)


@pytest.mark.parametrize("name", BLOCKS)
def test_fused_pooling_gives_the_gradient_to_the_first_of_equals(name):
    x = windows() - 0.5  # ReLU cuts the lowest of the three values
    w, b = np.ones((1, 1, 1, 1)), np.zeros(1)
    with ops.use(conv2d_relu_maxpool2d=name):
        z, backward = ops.conv2d_relu_maxpool2d(x, w, b)
    dx, _, db = backward(np.full_like(z, 3.0))
    flat = x.reshape(-1, 4)
    expected = np.zeros_like(flat)
    expected[np.arange(len(flat)), flat.argmax(axis=1)] = 3.0 * (flat.max(axis=1) > 0)
    assert np.array_equal(z.ravel(), np.maximum(flat.max(axis=1), 0))
    assert np.array_equal(dx.reshape(-1, 4), expected)
    assert db[0] == expected.sum()


@pytest.mark.parametrize("name", BLOCKS)
def test_relu_cuts_a_value_of_exactly_zero(name):
    with ops.use(conv2d_relu_maxpool2d=name):
        z, backward = ops.conv2d_relu_maxpool2d(np.zeros((1, 1, 2, 2)), np.ones((1, 1, 1, 1)), np.zeros(1))
    dx, dw, db = backward(np.ones_like(z))
    assert not z.any()
    assert not dx.any()
    assert not dw.any()
    assert not db.any()


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("size", [(2, 2), (7, 9), (8, 5), (3, 2), (33, 64)])
def test_images_of_few_grey_levels_are_pooled_like_the_reference(name, size):
    x = np.random.default_rng(0).integers(0, 3, (3, 4, *size)).astype(np.float64)
    results = []
    for implementation in (name, "reference"):
        with ops.use(maxpool2d=implementation):
            z, backward = ops.maxpool2d(x)
        results.append((z, backward(np.random.default_rng(1).standard_normal(z.shape))))
    (z, dx), (z_reference, dx_reference) = results
    assert np.array_equal(z, z_reference)
    assert np.array_equal(dx, dx_reference)
