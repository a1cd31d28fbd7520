"""The mean and variance of each channel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinydnn import ops
from tinydnn.gradcheck import gradcheck

few = st.integers(1, 4)


# With one element in a channel, the variance is always 0.
@given(n=few, c=few, h=few, w=st.integers(2, 5), seed=st.integers(0, 999))
def test_value_and_gradient_are_those_of_pytorch(torch, agrees_with_torch, arrays, n, c, h, w, seed):
    arguments = arrays(seed, "channels last", (n, c, h, w))
    gradcheck(ops.moments, *arguments).raise_if_failed()

    def torch_moments(x):
        return torch.stack((x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), unbiased=False)))

    agrees_with_torch(ops.moments, torch_moments, *arguments)


def test_moments_are_taken_over_all_axes_but_the_channels():
    (mean, var), _ = ops.moments(np.arange(24.0).reshape(2, 3, 2, 2))
    assert mean.tolist() == [7.5, 11.5, 15.5]
    assert var.tolist() == pytest.approx([37.25] * 3)


def test_gradients_through_and_around_the_moments_sum_to_batch_norm():
    rng = np.random.default_rng(0)
    x, dz, gamma, beta = (rng.standard_normal(shape) for shape in (2 * ((3, 2, 4, 5),) + 2 * ((2,),)))
    (mean, var), moments_backward = ops.moments(x)
    whole, around = (
        ops.batchnorm2d(x, gamma, beta, mean, var, batch_statistics=through)[1](dz) for through in (True, False)
    )
    inverse_std = 1 / np.sqrt(var + 1e-5)
    dmean = -gamma * inverse_std * dz.sum(axis=(0, 2, 3))
    dvar = -gamma * inverse_std**2 / 2 * around[1]
    np.testing.assert_allclose(around[0] + moments_backward(np.stack((dmean, dvar))), whole[0], atol=1e-13)
