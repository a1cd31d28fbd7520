"""Softmax with cross-entropy, and mean squared error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinydnn import ops
from tinydnn.gradcheck import gradcheck

layouts = st.sampled_from(["C order", "negative strides"])


@given(
    n=st.integers(1, 6),
    k=st.integers(2, 5),
    smoothing=st.sampled_from([0.0, 0.1, 0.5]),
    seed=st.integers(0, 999),
    layout=layouts,
)
def test_cross_entropy_is_that_of_pytorch(torch, agrees_with_torch, arrays, n, k, smoothing, seed, layout):
    (logits,) = arrays(seed, layout, (n, k))
    labels = np.random.default_rng(seed).integers(0, k, n)

    def ours(logits):
        return ops.softmax_cross_entropy(logits, labels, label_smoothing=smoothing)

    def theirs(logits):
        return torch.nn.functional.cross_entropy(logits, torch.tensor(labels), label_smoothing=smoothing)

    gradcheck(ours, logits).raise_if_failed()
    agrees_with_torch(ours, theirs, logits)


@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple), seed=st.integers(0, 999), layout=layouts)
def test_mean_squared_error_is_that_of_pytorch(torch, agrees_with_torch, arrays, shape, seed, layout):
    prediction, target = arrays(seed, layout, shape, shape)

    def ours(prediction):
        return ops.mean_squared_error(prediction, target.astype(prediction.dtype))

    def theirs(prediction):
        return torch.nn.functional.mse_loss(prediction, torch.tensor(target.copy(), dtype=prediction.dtype))

    gradcheck(ours, prediction).raise_if_failed()
    agrees_with_torch(ours, theirs, prediction)


def test_the_loss_of_equal_logits_is_the_log_of_the_number_of_classes():
    for k in (2, 3, 10):
        assert ops.softmax_cross_entropy(np.zeros((4, k)), np.zeros(4, int))[0] == pytest.approx(np.log(k))


def test_the_gradient_is_probability_minus_label_over_batch_size():
    logits, labels = np.random.default_rng(0).standard_normal((4, 3)), np.array([0, 2, 1, 1])
    _, backward = ops.softmax_cross_entropy(logits, labels)
    expected = (ops.softmax(logits) - np.eye(3)[labels]) / 4
    np.testing.assert_allclose(backward(), expected, atol=1e-15)
    np.testing.assert_allclose(backward(-2.0), -2 * expected, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_neither_overflow_nor_warn(dtype):
    logits = np.array([[1e4, 0, -1e4], [-1e4, 0, 1e4]], dtype)
    loss, backward = ops.softmax_cross_entropy(logits, np.array([0, 0]))
    assert loss == 1e4
    assert backward().tolist() == [[0, 0, 0], [-0.5, 0, 0.5]]
    assert ops.softmax(logits).tolist() == [[1, 0, 0], [0, 0, 1]]


@given(offset=st.floats(-100, 100))
def test_adding_a_constant_to_all_logits_does_not_change_the_loss(offset):
    logits, labels = np.random.default_rng(0).standard_normal((4, 3)), np.array([0, 2, 1, 1])
    expected = ops.softmax_cross_entropy(logits, labels)[0]
    assert ops.softmax_cross_entropy(logits + offset, labels)[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_can_have_any_integer_dtype(dtype):
    logits = np.random.default_rng(0).standard_normal((3, 3))
    loss = ops.softmax_cross_entropy(logits, np.array([0, 1, 2], dtype))[0]
    assert loss == ops.softmax_cross_entropy(logits, np.array([0, 1, 2]))[0]


def test_probabilities_of_each_row_sum_to_one():
    p = ops.softmax(np.random.default_rng(0).standard_normal((5, 4)) * 20)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-15)


def test_losses_are_scalar_arrays_of_the_input_dtype():
    for dtype in (np.float32, np.float64):
        logits = np.ones((2, 3), dtype)
        for loss, _ in (ops.softmax_cross_entropy(logits, np.array([0, 1])), ops.mean_squared_error(logits, logits)):
            assert (loss.shape, loss.dtype) == ((), dtype)


def test_a_worked_example_of_mean_squared_error():
    loss, backward = ops.mean_squared_error(np.array([[0.7, 2.0]]), np.array([[1.0, 0.0]]))
    assert loss == pytest.approx((0.09 + 4) / 2)
    assert backward().tolist() == [[pytest.approx(-0.3), 2]]
