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
    """Shapes of x, w and b, and options, with a kernel that fits the padded picture."""
    kernel, padding = (draw(st.integers(1, 4)), draw(st.integers(1, 4))), draw(st.integers(0, 2))
    height, width = (max(1, side - 2 * padding) + draw(st.integers(0, 4)) for side in kernel)
    pictures, channels, outputs = draw(few), draw(few), draw(few)
    bias = (outputs,) if draw(st.booleans()) else None
    shapes = (pictures, channels, height, width), (outputs, channels, *kernel), bias
    return shapes, {"stride": draw(few), "padding": padding}


def simplified(implementation, shapes, options):
    """The same with a square kernel and stride 1; where that is not covered, with 3 × 3 taps and many channels."""
    x, w, b = shapes
    size = min(w[2:])
    square = (x, (*w[:2], size, size), b), {"stride": 1, "padding": min(options["padding"], size - 1)}
    if covers(implementation, *(None if shape is None else np.empty(shape) for shape in square[0]), **square[1]):
        return square
    many = 24 + x[1], 24 + w[0]
    pictures = (x[0], many[0], x[2] + 2, x[3] + 2)
    return (pictures, (many[1], many[0], 3, 3), b and (many[1],)), {"stride": 1, "padding": options["padding"]}


everywhere = pytest.mark.parametrize("implementation", ops.conv2d.names())


def covers(implementation, *arrays, **options):
    return implementation in ops.conv2d.supporting(*arrays, **options)


def covering(*arrays, **options):
    """The implementations that take these arguments."""
    return [name for name in ops.conv2d.names() if covers(name, *arrays, **options)]


@everywhere
@given(case=convolutions(), seed=st.integers(0, 999), layout=layouts)
def test_gradients_hold(arrays, implementation, case, seed, layout):
    shapes, options = case
    assume(options["padding"] < min(shapes[1][2:]))  # else the windows may see nothing but padding
    given_arrays = arrays(seed, layout, *shapes)
    if not covers(implementation, *given_arrays, **options):
        shapes, options = simplified(implementation, shapes, options)
        given_arrays = arrays(seed, layout, *shapes)
    with ops.use(conv2d=implementation):
        gradcheck(partial(ops.conv2d, **options), *given_arrays).raise_if_failed()


@everywhere
@given(case=convolutions(), seed=st.integers(0, 999), layout=layouts)
def test_value_and_gradients_are_those_of_pytorch(torch, agrees_with_torch, arrays, implementation, case, seed, layout):
    shapes, options = case
    given_arrays = arrays(seed, layout, *shapes)
    if not covers(implementation, *given_arrays, **options):
        shapes, options = simplified(implementation, shapes, options)
        given_arrays = arrays(seed, layout, *shapes)
    with ops.use(conv2d=implementation):
        theirs = partial(torch.nn.functional.conv2d, **options)
        agrees_with_torch(partial(ops.conv2d, **options), theirs, *given_arrays)


@pytest.mark.parametrize(("kernel", "stride"), [((3, 3), 1), ((3, 2), 2)])
def test_the_value_is_the_sum_that_the_formula_says(kernel, stride):
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((2, 3, 5, 6)), rng.standard_normal((4, 3, *kernel)), rng.standard_normal(4)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for name in covering(x, w, b, stride=stride, padding=1):
        with ops.use(conv2d=name):
            z, _ = ops.conv2d(x, w, b, stride=stride, padding=1)
        for n, o, i, j in np.ndindex(z.shape):
            rows, columns = (slice(stride * k, stride * k + size) for k, size in zip((i, j), kernel, strict=True))
            assert z[n, o, i, j] == pytest.approx((w[o] * padded[n, :, rows, columns]).sum() + b[o], abs=1e-12)


@everywhere
def test_the_kernel_is_not_flipped(implementation):
    channels = 1 if covers(implementation, np.empty((1, 1, 4, 4)), np.empty((1, 1, 3, 3)), None) else 24
    x = np.arange(16.0).reshape(1, 1, 4, 4).repeat(channels, axis=1)
    upper_left = np.zeros((channels, channels, 3, 3))
    upper_left[:, 0, 0, 0] = 1
    with ops.use(conv2d=implementation):
        z, _ = ops.conv2d(x, upper_left, None)
    for picture in z[0]:
        np.testing.assert_allclose(picture.ravel(), [0, 1, 4, 5], atol=1e-12)


def test_a_kernel_of_one_pixel_mixes_channels():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    w = np.random.default_rng(1).standard_normal((4, 3, 1, 1))
    for name in covering(x, w, None):
        with ops.use(conv2d=name):
            z, _ = ops.conv2d(x, w, None)
        np.testing.assert_allclose(z, np.einsum("nchw,oc->nohw", x, w[:, :, 0, 0]), atol=1e-12)


def test_pixels_that_no_window_sees_get_no_gradient():
    x, w = np.ones((1, 1, 6, 5)), np.ones((1, 1, 2, 2))
    for name in covering(x, w, None, stride=3):
        with ops.use(conv2d=name):
            z, backward = ops.conv2d(x, w, None, stride=3)
        dx, _, _ = backward(np.ones_like(z))
        assert dx[0, 0].tolist() == [[1, 1, 0, 1, 1]] * 2 + [[0] * 5] + [[1, 1, 0, 1, 1]] * 2 + [[0] * 5]


@everywhere
def test_without_bias_there_is_no_gradient_of_it(implementation):
    channels = 1 if covers(implementation, np.empty((1, 1, 4, 4)), np.empty((1, 1, 3, 3)), None) else 24
    with ops.use(conv2d=implementation):
        z, backward = ops.conv2d(np.ones((1, channels, 4, 4)), np.ones((channels, channels, 3, 3)), None)
    assert backward(z)[2] is None
