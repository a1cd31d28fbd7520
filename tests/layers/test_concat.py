"""Concatenated branches compute what the branches compute one by one."""

import numpy as np
import pytest

from tinydnn.layers import BatchNorm2d, Concat, Conv2d, Dropout, MaxPool2d, ReLU, Sequential


def rng(seed=0):
    return np.random.default_rng(seed)


def branches(generator):
    return (
        Sequential(Conv2d(3, 2, 1, rng=generator), ReLU()),
        Sequential(Conv2d(3, 4, 3, padding=1, rng=generator), BatchNorm2d(4)),
        Sequential(ReLU()),
    )


def test_value_and_gradients_are_those_of_the_single_branches():
    layer, singles = Concat(*branches(rng())), branches(rng())
    layer.astype(np.float64)
    x, dz = rng(1).standard_normal((2, 3, 5, 4)), rng(2).standard_normal((2, 9, 5, 4))
    z, backward = layer(x, training=True)
    dx = backward(dz)
    values, expected_dx, start = [], 0, 0
    for branch in singles:
        branch.astype(np.float64)
        value, branch_backward = branch(x, training=True)
        values.append(value)
        expected_dx = expected_dx + branch_backward(dz[:, start : start + value.shape[1]])
        start += value.shape[1]
    assert np.array_equal(z, np.concatenate(values, axis=1))
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-12, atol=1e-12)
    expected = [parameter.grad for branch in singles for parameter in branch.parameters().values()]
    for parameter, expected_grad in zip(layer.parameters().values(), expected, strict=True):
        np.testing.assert_allclose(parameter.grad, expected_grad, rtol=1e-12, atol=1e-12)


def test_backward_skips_dx_on_request():
    layer = Concat(*branches(rng())[:2])
    z, backward = layer(rng(1).standard_normal((2, 3, 5, 4)).astype(np.float32), training=True)
    assert backward(z, need_dx=False) is None
    assert all(parameter.grad is not None for parameter in layer.parameters().values())


def test_names_include_the_branch():
    layer = Concat(*branches(rng()), Sequential(Dropout(0.5, rng=rng())))
    assert list(layer.parameters())[:2] == ["00-sequential/00-conv2d/weight", "00-sequential/00-conv2d/bias"]
    assert "01-sequential/01-batchnorm2d/running_mean" in layer.buffers()
    assert list(layer.generators()) == ["03-sequential/00-dropout/rng"]


def test_predict_is_the_value_in_evaluation_mode():
    layer, x = Concat(*branches(rng())), rng(1).standard_normal((2, 3, 5, 4)).astype(np.float32)
    assert np.array_equal(layer.predict(x), layer(x)[0])


def test_flops_are_the_sum_over_the_branches():
    layer = Concat(*branches(rng())[:1])
    assert layer.flops((3, 5, 4), (2, 5, 4)) == 2 * 20 * 6 + 2 * 20


def test_branches_of_different_output_sizes_are_refused():
    layer = Concat(Sequential(ReLU()), Sequential(MaxPool2d(2)))
    with pytest.raises(ValueError, match=r"expected branches of one output size, found \[\(2, 2\), \(4, 4\)\]"):
        layer(np.zeros((1, 1, 4, 4), np.float32))


def test_a_concat_without_branches_is_refused():
    with pytest.raises(ValueError, match="expected branches, found none"):
        Concat()
