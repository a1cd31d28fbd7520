"""The element-wise operations: ReLU, sigmoid, GELU and dropout."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinydnn import ops
from tinydnn.gradcheck import gradcheck

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
layouts = st.sampled_from(["C order", "channels last", "negative strides"])


@pytest.mark.parametrize("name", ["relu", "sigmoid"])
@given(shape=shapes, seed=st.integers(0, 999), layout=layouts)
def test_values_and_gradients_are_those_of_pytorch(torch, agrees_with_torch, arrays, name, shape, seed, layout):
    agrees_with_torch(getattr(ops, name), getattr(torch, name), *arrays(seed, layout, shape))


@given(shape=shapes, seed=st.integers(0, 999), layout=layouts)
def test_gelu_is_the_exact_one_of_pytorch(torch, agrees_with_torch, arrays, shape, seed, layout):
    agrees_with_torch(ops.gelu, torch.nn.functional.gelu, *arrays(seed, layout, shape))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gelu_of_huge_values_is_the_value_or_zero(dtype):
    z, backward = ops.gelu(np.array([-1e4, -40, 0, 40, 1e4], dtype))
    assert z.tolist() == [0, 0, 0, 40, 1e4]
    assert backward(np.ones(5, dtype)).tolist() == [0, 0, 0.5, 1, 1]
    assert z.dtype == dtype


@given(shape=shapes, seed=st.integers(0, 999), layout=layouts)
def test_the_gradient_of_sigmoid_is_the_numeric_one(arrays, shape, seed, layout):
    gradcheck(ops.sigmoid, *arrays(seed, layout, shape)).raise_if_failed()


@given(shape=shapes, seed=st.integers(0, 999), layout=layouts)
def test_the_gradient_of_relu_is_the_numeric_one(arrays, shape, seed, layout):
    (x,) = arrays(seed, layout, shape)
    x.flat[0] = 1  # if no element is positive the gradient is zero, which proves nothing
    gradcheck(ops.relu, x).raise_if_failed()


def test_the_gradient_of_relu_at_zero_is_zero():
    z, backward = ops.relu(np.array([-1.0, -0.0, 0.0, 2.0]))
    assert z.tolist() == [0, 0, 0, 2]
    assert backward(np.ones(4)).tolist() == [0, 0, 0, 1]


def test_relu_propagates_nan():
    assert np.isnan(ops.relu(np.array([np.nan]))[0]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_of_huge_values_neither_overflows_nor_warns(dtype):
    z, backward = ops.sigmoid(np.array([-1e4, -800, 0, 800, 1e4], dtype))
    assert z.tolist() == [0, 0, 0.5, 1, 1]
    assert backward(np.ones(5, dtype)).tolist() == [0, 0, 0.25, 0, 0]


@given(x=st.floats(-30, 30))
def test_sigmoid_is_symmetric(x):
    z, _ = ops.sigmoid(np.array([x, -x]))
    assert z.sum() == pytest.approx(1, abs=1e-15)


@given(shape=shapes, rate=st.floats(0, 0.9), seed=st.integers(0, 999), layout=layouts)
def test_the_gradient_of_dropout_is_the_numeric_one(arrays, shape, rate, seed, layout):
    (x,) = arrays(seed, layout, shape)
    keep = np.random.default_rng(seed).random(shape) >= rate
    keep.flat[0] = True
    gradcheck(lambda x: ops.dropout(x, keep, rate=rate), x).raise_if_failed()


def test_dropout_scales_the_kept_elements():
    keep = np.array([True, False, True, True])
    z, backward = ops.dropout(np.array([1.0, 2.0, 3.0, 4.0]), keep, rate=0.75)
    assert z.tolist() == [4, 0, 12, 16]
    assert backward(np.ones(4)).tolist() == [4, 0, 4, 4]


def test_dropout_preserves_the_mean():
    x = np.ones(100_000)
    keep = np.random.default_rng(0).random(x.shape) >= 0.3
    assert ops.dropout(x, keep, rate=0.3)[0].mean() == pytest.approx(1, abs=0.01)


def test_dropout_with_rate_zero_is_the_identity():
    x = np.random.default_rng(0).standard_normal((3, 4))
    np.testing.assert_array_equal(partial(ops.dropout, rate=0)(x, np.ones((3, 4), bool))[0], x)
