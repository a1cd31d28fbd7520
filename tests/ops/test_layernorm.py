"""Layer normalisation."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinydnn import ops
from tinydnn.gradcheck import gradcheck

few = st.integers(1, 4)
layouts = st.sampled_from(["C order", "channels last", "negative strides"])


# Two features would be normalised to ±1, whatever they are, and their gradient would be zero.
@given(n=few, t=few, d=st.integers(3, 6), seed=st.integers(0, 999), layout=layouts)
def test_values_and_gradients_are_those_of_pytorch(torch, agrees_with_torch, arrays, n, t, d, seed, layout):
    arguments = arrays(seed, layout, (n, t, d), (d,), (d,))
    agrees_with_torch(
        ops.layernorm, lambda x, gamma, beta: torch.nn.functional.layer_norm(x, (d,), gamma, beta), *arguments
    )
    gradcheck(ops.layernorm, *arguments).raise_if_failed()


def test_each_token_has_mean_zero_and_variance_one():
    x = np.random.default_rng(0).standard_normal((2, 3, 50)) * 7 + 100
    z, _ = ops.layernorm(x, np.ones(50), np.zeros(50))
    np.testing.assert_allclose(z.mean(axis=2), 0, atol=1e-10)
    np.testing.assert_allclose(z.var(axis=2), 1, rtol=1e-5)


def test_tokens_do_not_influence_each_other():
    x = np.random.default_rng(0).standard_normal((2, 3, 8))
    z, _ = ops.layernorm(x, np.ones(8), np.zeros(8))
    alone, _ = ops.layernorm(x[1:, 2:], np.ones(8), np.zeros(8))
    np.testing.assert_array_equal(z[1:, 2:], alone)


def test_a_token_of_equal_features_becomes_beta():
    z, _ = ops.layernorm(np.full((1, 2, 4), 5.0), np.full(4, 2.0), np.arange(4.0))
    np.testing.assert_array_equal(z, np.broadcast_to(np.arange(4.0), (1, 2, 4)))
