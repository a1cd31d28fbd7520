"""Batch normalisation, with batch statistics and with given ones."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinydnn import ops
from tinydnn.gradcheck import gradcheck

few = st.integers(1, 4)
layouts = st.sampled_from(["C order", "channels last", "negative strides"])


def with_batch_statistics(x, gamma, beta):
    """Batch norm whose statistics depend on x, so that the gradient flows through the moments too."""
    return ops.batchnorm2d(x, gamma, beta, *ops.moments(x)[0], batch_statistics=True)


# With one element in a channel, x̂ is always 0, and only β has a gradient; with two, x̂ is ±1.
@given(n=few, c=few, h=few, w=st.integers(3, 5), seed=st.integers(0, 999), layout=layouts)
def test_gradients_with_batch_statistics(torch, agrees_with_torch, arrays, n, c, h, w, seed, layout):
    arguments = arrays(seed, layout, (n, c, h, w), (c,), (c,))
    gradcheck(with_batch_statistics, *arguments).raise_if_failed()

    def torch_batchnorm(x, gamma, beta):
        return torch.nn.functional.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-5)

    agrees_with_torch(with_batch_statistics, torch_batchnorm, *arguments)


@given(n=few, c=few, h=few, w=few, seed=st.integers(0, 999), layout=layouts)
def test_gradients_with_given_statistics(torch, agrees_with_torch, arrays, n, c, h, w, seed, layout):
    x, gamma, beta, mean, var = arrays(seed, layout, (n, c, h, w), (c,), (c,), (c,), (c,))
    var = var**2 + 0.1

    def batchnorm(x, gamma, beta):
        statistics = mean.astype(x.dtype), var.astype(x.dtype)
        return ops.batchnorm2d(x, gamma, beta, *statistics, batch_statistics=False)

    def torch_batchnorm(x, gamma, beta):
        statistics = (torch.tensor(array.copy(), dtype=x.dtype) for array in (mean, var))
        return torch.nn.functional.batch_norm(x, *statistics, gamma, beta, training=False, eps=1e-5)

    gradcheck(batchnorm, x, gamma, beta).raise_if_failed()
    agrees_with_torch(batchnorm, torch_batchnorm, x, gamma, beta)


def test_each_channel_has_mean_beta_and_standard_deviation_gamma():
    x = np.random.default_rng(0).standard_normal((4, 2, 5, 6)) * 7 + 100
    gamma, beta = np.array([1.0, 3.0]), np.array([0.0, -2.0])
    z, _ = with_batch_statistics(x, gamma, beta)
    np.testing.assert_allclose(z.mean(axis=(0, 2, 3)), beta, atol=1e-10)
    np.testing.assert_allclose(z.var(axis=(0, 2, 3)), gamma**2, rtol=1e-5)


def test_a_constant_channel_becomes_beta():
    z, _ = with_batch_statistics(np.full((2, 1, 3, 3), 5.0), np.array([2.0]), np.array([0.5]))
    np.testing.assert_array_equal(z, 0.5)
