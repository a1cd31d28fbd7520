"""The figures of a step on a GPU are those of the step on the CPU."""

import numpy as np
import pytest

from tinydnn.kernels.cuda.step_result import write_step_result
from tinydnn.training.loss import image_loss
from tinydnn.training.step import step_result


def on_both(logits, labels, device):
    loss, _ = image_loss(logits, labels)
    result = device.put(np.full(3, np.nan, np.float32))
    losses = (device.put(np.array(value, np.float32)) for value in (loss.total, loss.image_loss))
    write_step_result(result, *losses, device.put(logits), device.put(labels))
    return device.get(result), np.array(step_result(loss, labels), np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (257, 3), (300, 10)])
def test_losses_and_accuracy_are_those_of_the_cpu(shape, device):
    rng = np.random.default_rng(0)
    logits = rng.integers(0, 4, shape).astype(np.float32)  # many are equal, and the first of them counts
    found, expected = on_both(logits, rng.integers(0, shape[1], shape[0]), device)
    np.testing.assert_array_equal(found, expected)


def test_a_nan_is_the_largest_logit_as_in_numpy(device):
    logits = np.array([[1, np.nan, 2], [3, 1, np.nan], [np.nan, 5, np.nan]], np.float32)
    with np.errstate(invalid="ignore"):
        found, expected = on_both(logits, np.array([1, 0, 0]), device)
    np.testing.assert_array_equal(found, expected)
