"""Batch normalisation as a layer: batch statistics in training, running ones in evaluation."""

import numpy as np
import pytest

from tinydnn.layers import BatchNorm2d


def batches(count=3):
    rng = np.random.default_rng(0)
    return [(3 * rng.standard_normal((4, 2, 3, 5)) + [[[[1]], [[-2]]]]).astype(np.float32) for _ in range(count)]


def test_training_gives_each_batch_mean_zero_and_variance_one():
    layer = BatchNorm2d(2)
    for x in batches():
        z = layer(x, training=True)[0]
        assert np.abs(z.mean(axis=(0, 2, 3))).max() < 1e-6
        assert np.abs(z.var(axis=(0, 2, 3)) - 1).max() < 1e-4


def test_running_statistics_follow_the_batches_by_the_formula():
    layer = BatchNorm2d(2, momentum=0.25)
    mean, var = np.zeros(2), np.ones(2)
    for x in batches():
        layer(x, training=True)
        mean = 0.75 * mean + 0.25 * x.mean(axis=(0, 2, 3), dtype=np.float64)
        var = 0.75 * var + 0.25 * x.var(axis=(0, 2, 3), dtype=np.float64, ddof=1)
    assert layer.running_mean.value == pytest.approx(mean, rel=1e-5)
    assert layer.running_var.value == pytest.approx(var, rel=1e-5)
    assert layer.running_mean.value.dtype == layer.running_var.value.dtype == np.float32


def test_evaluation_uses_the_running_statistics_and_leaves_them_alone():
    layer = BatchNorm2d(2)
    layer.running_mean.value, layer.running_var.value = np.array([1, 2], np.float32), np.array([4, 9], np.float32)
    x = batches(1)[0]
    z = layer(x)[0]
    assert z == pytest.approx((x - [[[1]], [[2]]]) / np.sqrt([[[4 + 1e-5]], [[9 + 1e-5]]]), rel=1e-5, abs=1e-6)
    assert layer.running_mean.value.tolist() == [1, 2]
    assert layer.predict(x) == pytest.approx(z)


def test_one_element_per_channel_does_not_divide_by_zero():
    layer = BatchNorm2d(2)
    layer(np.ones((1, 2, 1, 1), np.float32), training=True)
    assert np.isfinite(layer.running_var.value).all()


def test_training_and_evaluation_agree_with_pytorch():
    torch = pytest.importorskip("torch")
    ours, torch_layer = BatchNorm2d(2, momentum=0.1, eps=1e-3), torch.nn.BatchNorm2d(2, momentum=0.1, eps=1e-3)
    gamma, beta = np.array([0.5, 2], np.float32), np.array([-1, 3], np.float32)
    ours.gamma.value, ours.beta.value = gamma, beta
    with torch.no_grad():
        torch_layer.weight.copy_(torch.from_numpy(gamma))
        torch_layer.bias.copy_(torch.from_numpy(beta))
    for x in batches():
        z, backward = ours(x, training=True)
        dz = np.random.default_rng(1).standard_normal(z.shape).astype(np.float32)
        dx = backward(dz)
        torch_x = torch.from_numpy(x).requires_grad_()
        torch_z = torch_layer(torch_x)
        torch_layer.zero_grad()
        torch_z.backward(torch.from_numpy(dz))
        assert z == pytest.approx(torch_z.detach().numpy(), abs=1e-5)
        assert dx == pytest.approx(torch_x.grad.numpy(), abs=1e-5)
        assert ours.gamma.grad == pytest.approx(torch_layer.weight.grad.numpy(), abs=1e-4)
        assert ours.beta.grad == pytest.approx(torch_layer.bias.grad.numpy(), abs=1e-4)
    assert ours.running_mean.value == pytest.approx(torch_layer.running_mean.numpy(), abs=1e-6)
    assert ours.running_var.value == pytest.approx(torch_layer.running_var.numpy(), rel=1e-5)
    torch_layer.eval()
    assert ours.predict(x) == pytest.approx(torch_layer(torch.from_numpy(x)).detach().numpy(), abs=1e-5)


def test_backward_uses_the_running_statistics_of_its_own_forward_pass():
    x, later = batches(2)
    updated, untouched = BatchNorm2d(2), BatchNorm2d(2)
    backward, expected_backward = (layer(x)[1] for layer in (updated, untouched))
    updated(later + 100, training=True)
    np.testing.assert_array_equal(backward(x), expected_backward(x))
    np.testing.assert_array_equal(updated.gamma.grad, untouched.gamma.grad)


@pytest.mark.parametrize("training", [False, True])
def test_an_input_with_other_channels_is_refused_and_changes_nothing(training):
    layer = BatchNorm2d(3)
    with pytest.raises(ValueError, match=r"^batchnorm2d: x: expected shape \(2, 3, 4, 4\) for a gamma of shape"):
        layer(np.ones((2, 5, 4, 4), np.float32), training=training)
    assert not layer.running_mean.value.any()
