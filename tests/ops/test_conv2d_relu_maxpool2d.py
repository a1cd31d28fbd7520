"""Fused convolution, ReLU and max pooling, in all implementations."""

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
def blocks(draw):
    """Shapes of x, w and b, and options, with at least one pooling window."""
    kernel, padding = (draw(st.integers(1, 4)), draw(st.integers(1, 4))), draw(st.integers(0, 2))
    stride, window = draw(st.sampled_from([1, 1, 2])), draw(st.sampled_from([2, 2, 3]))
    least = ((window - 1) * stride + side - 2 * padding for side in kernel)
    height, width = (max(1, side) + draw(st.integers(0, 4)) for side in least)
    images, channels, outputs = draw(few), draw(few), draw(few)
    bias = (outputs,) if draw(st.booleans()) else None
    options = {"stride": stride, "padding": padding, "window": window, "pool_stride": draw(st.sampled_from([None, 2]))}
    return ((images, channels, height, width), (outputs, channels, *kernel), bias), options


def implementations_with_exact_ties():
    """The implementations in which equal sums stay equal; those by Winograd's algorithm may differ in the last bit."""
    return {name for name in ops.conv2d_relu_maxpool2d.names() if "winograd" not in name}


@given(case=blocks(), seed=st.integers(0, 999), layout=layouts)
def test_value_and_gradients_are_those_of_pytorch(torch, agrees_with_torch, arrays, case, seed, layout):
    shapes, options = case
    arguments = arrays(seed, layout, *shapes)

    def torch_block(x, w, b):
        convolved = torch.nn.functional.conv2d(x, w, b, stride=options["stride"], padding=options["padding"])
        return torch.nn.functional.max_pool2d(torch.relu(convolved), options["window"], options["pool_stride"])

    for name in ops.conv2d_relu_maxpool2d.supporting(*arguments, **options):
        with ops.use(conv2d_relu_maxpool2d=name):
            agrees_with_torch(partial(ops.conv2d_relu_maxpool2d, **options), torch_block, *arguments)


@given(case=blocks(), seed=st.integers(0, 999), layout=layouts)
def test_gradients_are_the_numeric_ones(arrays, case, seed, layout):
    shapes, options = case
    assume(options["padding"] < min(shapes[1][2:]))  # else a window may contain nothing but padding
    x, w, b = arrays(seed, layout, *shapes)
    x = abs(x)
    w = w + 1  # mostly positive, so that not all gradients are zero after ReLU
    for name in ops.conv2d_relu_maxpool2d.supporting(x, w, b, **options):
        with ops.use(conv2d_relu_maxpool2d=name):
            gradcheck(partial(ops.conv2d_relu_maxpool2d, **options), x, w, b).raise_if_failed()


@pytest.mark.parametrize("implementation", sorted(implementations_with_exact_ties()))
def test_ties_and_zeros_of_relu_are_those_of_the_three_operations(implementation):
    x = np.round(np.random.default_rng(0).standard_normal((3, 2, 9, 8)))
    w = np.round(np.random.default_rng(1).standard_normal((4, 2, 3, 3)))
    b = np.array([-4.0, -1.0, 0.0, 1.0])
    with ops.use(conv2d_relu_maxpool2d=implementation):
        z, backward = ops.conv2d_relu_maxpool2d(x, w, b, padding=1)
    convolved, conv_backward = ops.conv2d(x, w, b, padding=1)
    activated, relu_backward = ops.relu(convolved)
    expected, pool_backward = ops.maxpool2d(activated)
    np.testing.assert_array_equal(z, expected)
    dz = np.round(np.random.default_rng(2).standard_normal(z.shape) * 9)
    expected_gradients = conv_backward(relu_backward(pool_backward(dz)))
    for gradient, expected_gradient in zip(backward(dz), expected_gradients, strict=True):
        np.testing.assert_array_equal(gradient, expected_gradient)


def test_the_trace_of_the_reference_shows_the_three_operations():
    with ops.use(conv2d_relu_maxpool2d="reference"), ops.trace() as calls:
        ops.conv2d_relu_maxpool2d(np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3)), None, padding=1)
    assert [call.operation for call in calls] == ["conv2d_relu_maxpool2d", "conv2d", "relu", "maxpool2d"]
