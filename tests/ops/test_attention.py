"""The operations of attention: pooling, gates, mean and maximum over the channels, multi-head attention."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinydnn import ops
from tinydnn.gradcheck import gradcheck

few = st.integers(1, 4)
layouts = st.sampled_from(["C order", "channels last", "negative strides"])


@given(n=few, c=few, h=few, w=st.integers(2, 5), seed=st.integers(0, 999), layout=layouts)
def test_attention_pooling_is_that_of_pytorch(torch, agrees_with_torch, arrays, n, c, h, w, seed, layout):
    def expected(x, s):
        a = torch.softmax(s.flatten(2), dim=2).reshape(s.shape)
        return (a * x).sum((2, 3))

    x, s = arrays(seed, layout, (n, c, h, w), (n, 1, h, w))
    agrees_with_torch(ops.attention_pool2d, expected, x, s)
    gradcheck(ops.attention_pool2d, x, s).raise_if_failed()


def test_equal_scores_make_attention_pooling_an_average():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    z, _ = ops.attention_pool2d(x, np.full((2, 1, 4, 5), 7.0))
    np.testing.assert_allclose(z, ops.global_avgpool2d(x)[0])


def test_a_high_score_picks_its_position():
    x, s = np.random.default_rng(0).standard_normal((1, 3, 4, 5)), np.zeros((1, 1, 4, 5))
    s[0, 0, 2, 3] = 900
    z, backward = ops.attention_pool2d(x, s)
    np.testing.assert_allclose(z[0], x[0, :, 2, 3])
    dx, ds = backward(np.ones((1, 3)))
    assert [tuple(place) for place in np.argwhere(dx[0, 0])] == [(2, 3)]
    assert np.isfinite(ds).all()


def test_the_weights_of_the_positions_sum_to_one():
    s = 100 * np.random.default_rng(0).standard_normal((2, 1, 4, 5))
    weights = ops.position_weights(s)
    assert weights.shape == (2, 4, 5)
    np.testing.assert_allclose(weights.sum(axis=(1, 2)), 1)


@pytest.mark.parametrize("by_channel", [True, False])
@given(n=few, c=few, h=few, w=few, seed=st.integers(0, 999), layout=layouts)
def test_a_gate_is_that_of_pytorch(agrees_with_torch, arrays, by_channel, n, c, h, w, seed, layout):
    x, a = arrays(seed, layout, (n, c, h, w), (n, c) if by_channel else (n, 1, h, w))
    agrees_with_torch(ops.gate2d, lambda x, a: x * (a[:, :, None, None] if by_channel else a), x, a)


@given(n=few, c=few, h=few, w=few, seed=st.integers(0, 999), layout=layouts)
def test_mean_and_maximum_over_channels_are_those_of_pytorch(
    torch, agrees_with_torch, arrays, n, c, h, w, seed, layout
):
    def expected(x):
        return torch.stack((x.mean(1), x.max(1).values), 1)

    agrees_with_torch(ops.channel_mean_max, expected, *arrays(seed, layout, (n, c, h, w)))


def test_of_equal_channels_the_first_gets_the_gradient_of_the_maximum():
    z, backward = ops.channel_mean_max(np.ones((1, 3, 1, 1)))
    assert z.ravel().tolist() == [1, 1]
    dz = np.array([0.0, 1.0]).reshape(1, 2, 1, 1)
    assert backward(dz).ravel().tolist() == [1, 0, 0]


@pytest.mark.parametrize("implementation", ["reference", "images"])
@given(n=few, t=few, heads=few, d=few, seed=st.integers(0, 999), layout=layouts)
def test_multihead_attention_is_that_of_pytorch(
    torch, agrees_with_torch, arrays, implementation, n, t, heads, d, seed, layout
):
    def split(x):
        return x.reshape(n, t, heads, d).transpose(1, 2)

    def expected(q, k, v):
        z = torch.nn.functional.scaled_dot_product_attention(split(q), split(k), split(v))
        return z.transpose(1, 2).reshape(n, t, heads * d)

    with ops.use(multihead_attention=implementation):
        agrees_with_torch(
            lambda q, k, v: ops.multihead_attention(q, k, v, heads=heads),
            expected, *arrays(seed, layout, *[(n, t, heads * d)] * 3),
        )  # fmt: skip


def test_multihead_attention_with_projections_is_the_layer_of_pytorch(torch):
    rng = np.random.default_rng(0)
    layer = torch.nn.MultiheadAttention(6, 2, batch_first=True).double()
    w, b = layer.in_proj_weight.detach().numpy(), layer.in_proj_bias.detach().numpy()
    x = rng.standard_normal((3, 5, 6))
    q, k, v = np.split(x @ w.T + b, 3, axis=2)
    z, _ = ops.multihead_attention(q, k, v, heads=2)
    out = layer.out_proj
    found = z @ out.weight.detach().numpy().T + out.bias.detach().numpy()
    expected, weights = layer(*[torch.tensor(x)] * 3, average_attn_weights=False)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    a = ops.attention_weights(q, k, heads=2)
    np.testing.assert_allclose(a, weights.detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("implementation", ["reference", "images"])
def test_large_scores_do_not_overflow(implementation):
    x = 300 * np.random.default_rng(0).standard_normal((2, 5, 4)).astype(np.float32)
    with ops.use(multihead_attention=implementation):
        z, backward = ops.multihead_attention(x, x, x, heads=2)
    assert np.isfinite(z).all()
    assert all(np.isfinite(gradient).all() for gradient in backward(np.ones_like(z)))
