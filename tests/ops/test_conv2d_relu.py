"""Fused convolution and ReLU equal the two in sequence, in all implementations."""

import numpy as np
import pytest

from tinydnn import ops

SHAPES = {
    "few channels": ((2, 3, 7, 6), (4, 3, 3, 3), {"padding": 1}),
    "many channels": ((2, 24, 9, 6), (32, 24, 3, 3), {"padding": 1}),
    "stride": ((2, 3, 23, 20), (16, 3, 11, 11), {"padding": 2, "stride": 4}),
    "one pixel": ((2, 20, 5, 4), (8, 20, 1, 1), {}),
}


def upstream(z):
    return np.cos(np.arange(z.size)).reshape(z.shape).astype(z.dtype)


def fused(implementation, arrays, options):
    """The value and the gradients of an implementation."""
    with ops.use(conv2d="reference", relu="reference", conv2d_relu=implementation):
        z, backward = ops.conv2d_relu(*arrays, **options)
        return z, *backward(upstream(z))


def in_sequence(arrays, options):
    """The value and the gradients of the references of `conv2d` and `relu`."""
    with ops.use(conv2d="reference", relu="reference"):
        convolved, conv_backward = ops.conv2d(*arrays, **options)
        z, relu_backward = ops.relu(convolved)
        return z, *conv_backward(relu_backward(upstream(z)))


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("bias", [True, False])
def test_value_and_gradients_are_those_of_the_two_operations(shapes, bias):
    x, w, options = SHAPES[shapes]
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal(x), rng.standard_normal(w), rng.standard_normal(w[0]) if bias else None
    expected = in_sequence(arrays, options)
    assert (expected[0] == 0).any()
    for name in ops.conv2d_relu.supporting(*arrays, **options):
        for result, reference in zip(fused(name, arrays, options), expected, strict=True):
            if reference is not None:
                np.testing.assert_allclose(result, reference, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("channels", [3, 32])
def test_nan_propagates_through_the_fused_relu(channels):
    x, w = np.zeros((1, channels, 8, 8)), np.ones((24, channels, 3, 3))
    x[0, 0, 3, 4] = np.nan
    for name in ops.conv2d_relu.supporting(x, w, None, padding=1):
        with ops.use(conv2d_relu=name):
            z, _ = ops.conv2d_relu(x, w, None, padding=1)
        assert np.isnan(z[0, :, 3, 4]).all(), name
