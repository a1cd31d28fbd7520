"""Convolution, in all its implementations."""

from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tinydnn import ops
from tinydnn.gradcheck import gradcheck

few = st.integers(1, 3)
layouts = st.sampled_from(["C order", "channels last", "negative strides"])


@st.composite
def convolutions(draw):
    """Shapes of x, w and b, and options, with a kernel that fits the padded image."""
    kernel, padding = (draw(st.integers(1, 4)), draw(st.integers(1, 4))), draw(st.integers(0, 2))
    height, width = (max(1, side - 2 * padding) + draw(st.integers(0, 4)) for side in kernel)
    images, channels, outputs = draw(few), draw(few), draw(few)
    bias = (outputs,) if draw(st.booleans()) else None
    shapes = (images, channels, height, width), (outputs, channels, *kernel), bias
    return shapes, {"stride": draw(few), "padding": padding}


def simplified(implementation, shapes, options):
    """A case that the implementation supports: a square kernel and stride 1, or else 3 × 3 and many channels."""
    x, w, b = shapes
    size = min(w[2:])
    square = (x, (*w[:2], size, size), b), {"stride": 1, "padding": min(options["padding"], size - 1)}
    if supports(implementation, *(None if shape is None else np.empty(shape) for shape in square[0]), **square[1]):
        return square
    channels, outputs = 24 + x[1], 24 + w[0]
    images = (x[0], channels, x[2] + 2, x[3] + 2)
    return (images, (outputs, channels, 3, 3), b and (outputs,)), {"stride": 1, "padding": options["padding"]}


every_implementation = pytest.mark.parametrize("implementation", ops.conv2d.names())


def supports(implementation, *arrays, **options):
    return implementation in ops.conv2d.supporting(*arrays, **options)


def fewest_channels(implementation):
    """1, or 24 for an implementation of many channels only."""
    return 1 if supports(implementation, np.empty((1, 1, 4, 4)), np.empty((1, 1, 3, 3)), None) else 24


@every_implementation
@given(case=convolutions(), seed=st.integers(0, 999), layout=layouts)
def test_gradients_are_the_numeric_ones(arrays, implementation, case, seed, layout):
    shapes, options = case
    assume(options["padding"] < min(shapes[1][2:]))  # else a window may contain nothing but padding
    arguments = arrays(seed, layout, *shapes)
    if not supports(implementation, *arguments, **options):
        shapes, options = simplified(implementation, shapes, options)
        arguments = arrays(seed, layout, *shapes)
    with ops.use(conv2d=implementation):
        gradcheck(partial(ops.conv2d, **options), *arguments).raise_if_failed()


@every_implementation
@given(case=convolutions(), seed=st.integers(0, 999), layout=layouts)
def test_value_and_gradients_are_those_of_pytorch(torch, agrees_with_torch, arrays, implementation, case, seed, layout):
    shapes, options = case
    arguments = arrays(seed, layout, *shapes)
    if not supports(implementation, *arguments, **options):
        shapes, options = simplified(implementation, shapes, options)
        arguments = arrays(seed, layout, *shapes)
    with ops.use(conv2d=implementation):
        torch_conv2d = partial(torch.nn.functional.conv2d, **options)
        agrees_with_torch(partial(ops.conv2d, **options), torch_conv2d, *arguments)


@pytest.mark.parametrize(("kernel", "stride"), [((3, 3), 1), ((3, 2), 2)])
def test_the_value_is_the_sum_of_the_formula(kernel, stride):
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((2, 3, 5, 6)), rng.standard_normal((4, 3, *kernel)), rng.standard_normal(4)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for name in ops.conv2d.supporting(x, w, b, stride=stride, padding=1):
        with ops.use(conv2d=name):
            z, _ = ops.conv2d(x, w, b, stride=stride, padding=1)
        for n, o, i, j in np.ndindex(z.shape):
            rows, columns = (slice(stride * k, stride * k + size) for k, size in zip((i, j), kernel, strict=True))
            assert z[n, o, i, j] == pytest.approx((w[o] * padded[n, :, rows, columns]).sum() + b[o], abs=1e-12)


@every_implementation
def test_the_kernel_is_not_flipped(implementation):
    channels = fewest_channels(implementation)
    x = np.arange(16.0).reshape(1, 1, 4, 4).repeat(channels, axis=1)
    upper_left = np.zeros((channels, channels, 3, 3))
    upper_left[:, 0, 0, 0] = 1
    with ops.use(conv2d=implementation):
        z, _ = ops.conv2d(x, upper_left, None)
    for channel in z[0]:
        np.testing.assert_allclose(channel.ravel(), [0, 1, 4, 5], atol=1e-12)


def test_a_kernel_of_one_pixel_mixes_channels():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    w = np.random.default_rng(1).standard_normal((4, 3, 1, 1))
    for name in ops.conv2d.supporting(x, w, None):
        with ops.use(conv2d=name):
            z, _ = ops.conv2d(x, w, None)
        np.testing.assert_allclose(z, np.einsum("nchw,oc->nohw", x, w[:, :, 0, 0]), atol=1e-12)


def test_pixels_outside_all_windows_have_a_zero_gradient():
    x, w = np.ones((1, 1, 6, 5)), np.ones((1, 1, 2, 2))
    for name in ops.conv2d.supporting(x, w, None, stride=3):
        with ops.use(conv2d=name):
            z, backward = ops.conv2d(x, w, None, stride=3)
        dx, _, _ = backward(np.ones_like(z))
        assert dx[0, 0].tolist() == [[1, 1, 0, 1, 1]] * 2 + [[0] * 5] + [[1, 1, 0, 1, 1]] * 2 + [[0] * 5]


@every_implementation
def test_without_a_bias_its_gradient_is_none(implementation):
    channels = fewest_channels(implementation)
    with ops.use(conv2d=implementation):
        z, backward = ops.conv2d(np.ones((1, channels, 4, 4)), np.ones((channels, channels, 3, 3)), None)
    assert backward(z)[2] is None
