"""Max, average and global average pooling, in all implementations."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinydnn import ops
from tinydnn.gradcheck import gradcheck

few = st.integers(1, 3)
layouts = st.sampled_from(["C order", "channels last", "negative strides"])


@st.composite
def poolings(draw):
    """The shape of x, and a window that fits it; strides below, equal to and above the window."""
    window = draw(few)
    shape = (draw(few), draw(few), window + draw(st.integers(0, 5)), window + draw(st.integers(0, 5)))
    return shape, {"window": window, "stride": draw(st.none() | st.integers(1, 4))}


@pytest.mark.parametrize("operation", [ops.maxpool2d, ops.avgpool2d], ids=lambda operation: operation.name)
@given(case=poolings(), seed=st.integers(0, 999), layout=layouts)
def test_gradients_are_the_numeric_ones(arrays, operation, case, seed, layout):
    shape, options = case
    for name in operation.supporting(np.zeros(shape), **options):
        with ops.use(**{operation.name: name}):
            gradcheck(partial(operation, **options), *arrays(seed, layout, shape)).raise_if_failed()


@pytest.mark.parametrize("operation", [ops.maxpool2d, ops.avgpool2d], ids=lambda operation: operation.name)
@given(case=poolings(), seed=st.integers(0, 999), layout=layouts)
def test_value_and_gradients_are_those_of_pytorch(torch, agrees_with_torch, arrays, operation, case, seed, layout):
    shape, options = case
    function = {"maxpool2d": torch.nn.functional.max_pool2d, "avgpool2d": torch.nn.functional.avg_pool2d}
    torch_pool = partial(function[operation.name], kernel_size=options["window"], stride=options["stride"])
    for name in operation.supporting(np.zeros(shape), **options):
        with ops.use(**{operation.name: name}):
            agrees_with_torch(partial(operation, **options), torch_pool, *arrays(seed, layout, shape))


@given(n=few, c=few, h=few, w=few, seed=st.integers(0, 999), layout=layouts)
def test_global_average_pooling_agrees_with_pytorch(torch, agrees_with_torch, arrays, n, c, h, w, seed, layout):
    (x,) = arrays(seed, layout, (n, c, h, w))
    gradcheck(ops.global_avgpool2d, x).raise_if_failed()
    agrees_with_torch(ops.global_avgpool2d, lambda x: x.mean((2, 3)), x)


TIES = {
    "all four": [[1, 1], [1, 1]],
    "upper right and lower left": [[0, 1], [1, 0]],
    "right column": [[0, 1], [0, 1]],
    "lower row": [[0, 0], [1, 1]],
    "upper left and lower right": [[1, 0], [0, 1]],
}


@pytest.mark.parametrize("implementation", ops.maxpool2d.names())
@pytest.mark.parametrize("tie", TIES)
def test_the_first_of_equal_pixels_gets_the_whole_gradient(implementation, tie):
    x = np.array(TIES[tie], float).reshape(1, 1, 2, 2)
    with ops.use(maxpool2d=implementation):
        z, backward = ops.maxpool2d(x)
    dx = backward(np.full_like(z, 5)).ravel()
    assert dx.tolist() == [5 if k == x.argmax() else 0 for k in range(4)]


@given(case=poolings(), seed=st.integers(0, 999))
def test_all_implementations_agree_on_ties(arrays, case, seed):
    shape, options = case
    (x,) = arrays(seed, "C order", shape)
    x = np.round(x)
    results = []
    for name in ops.maxpool2d.supporting(np.zeros(shape), **options):
        with ops.use(maxpool2d=name):
            z, backward = ops.maxpool2d(x, **options)
        results.append((z, backward(np.arange(1.0, z.size + 1).reshape(z.shape))))
    for z, dx in results[1:]:
        np.testing.assert_array_equal(z, results[0][0])
        np.testing.assert_array_equal(dx, results[0][1])


def test_the_argmax_of_several_windows_sums_their_gradients():
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 1
    _, backward = ops.maxpool2d(x, window=2, stride=1)
    assert backward(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]))[0, 0].tolist() == [[0, 0, 0], [0, 10, 0], [0, 0, 0]]


@pytest.mark.parametrize("operation", [ops.maxpool2d, ops.avgpool2d], ids=lambda operation: operation.name)
def test_rows_and_columns_outside_all_windows_are_ignored(operation):
    x = np.random.default_rng(0).standard_normal((2, 2, 5, 7))
    z, backward = operation(x)
    assert z.shape == (2, 2, 2, 3)
    np.testing.assert_array_equal(z, operation(x[:, :, :4, :6])[0])
    dx = backward(z)
    assert not dx[:, :, 4:].any()
    assert not dx[:, :, :, 6:].any()


@pytest.mark.parametrize("implementation", ops.maxpool2d.names())
@pytest.mark.parametrize("place", range(4))
def test_the_maximum_propagates_nan(implementation, place):
    x = np.arange(4.0).reshape(1, 1, 2, 2)
    x.ravel()[place] = np.nan
    with ops.use(maxpool2d=implementation):
        assert np.isnan(ops.maxpool2d(x)[0]).all()


@pytest.mark.parametrize("implementation", ops.maxpool2d.names())
def test_the_maximum_orders_infinities(implementation):
    with ops.use(maxpool2d=implementation):
        assert ops.maxpool2d(np.array([[[[-np.inf, -1], [-2, -np.inf]]]]))[0].item() == -1
        assert ops.maxpool2d(np.full((1, 1, 2, 2), -np.inf))[0].item() == -np.inf
