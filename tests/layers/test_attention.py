"""Layers that attend: what they compute, what they show, and how they begin."""

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.layers import (
    AttentionPool2d,
    ChannelMeanMax,
    GlobalAvgPool2d,
    LayerNorm,
    SelfAttention,
    Sequential,
    SpatialAttention,
    SqueezeExcitation,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def images(*shape):
    return rng(1).standard_normal(shape).astype(np.float32)


IMAGE_LAYERS = {
    "AttentionPool2d": lambda: AttentionPool2d(6),
    "SqueezeExcitation": lambda: SqueezeExcitation(6, reduction=2, rng=rng()),
    "SpatialAttention": lambda: SpatialAttention(rng=rng()),
}


def test_attention_pooling_begins_as_global_average_pooling():
    x = images(2, 6, 4, 5)
    np.testing.assert_allclose(AttentionPool2d(6).predict(x), GlobalAvgPool2d().predict(x), rtol=1e-5, atol=1e-6)


def test_attention_pooling_is_the_mean_weighted_by_its_attention():
    layer, x = AttentionPool2d(6), images(2, 6, 4, 5)
    layer.weight.value[:] = images(1, 6, 1, 1)
    attention = layer.attention(x)
    assert attention.shape == (2, 4, 5)
    np.testing.assert_allclose(layer.predict(x), np.einsum("nij,ncij->nc", attention, x), rtol=1e-5, atol=1e-6)
    scores = np.einsum("c,ncij->nij", layer.weight.value.ravel(), x)
    assert attention.reshape(2, -1).argmax(axis=1).tolist() == scores.reshape(2, -1).argmax(axis=1).tolist()


def test_the_gate_of_squeeze_and_excitation_is_one_factor_for_each_channel():
    layer, x = SqueezeExcitation(6, reduction=2, rng=rng()), images(2, 6, 4, 5)
    factors = layer.predict(x) / x
    np.testing.assert_allclose(factors, np.broadcast_to(factors[:, :, :1, :1], x.shape), rtol=1e-4)
    assert (factors > 0).all()
    assert (factors < 1).all()
    assert layer.parameters()["gate/01-linear/weight"].value.shape == (3, 6)


def test_the_gate_of_spatial_attention_is_its_attention():
    layer, x = SpatialAttention(kernel_size=3, rng=rng()), images(2, 6, 4, 5)
    np.testing.assert_allclose(layer.predict(x), layer.attention(x)[:, None] * x, rtol=1e-5)
    assert layer.attention(x).shape == (2, 4, 5)


def test_self_attention_shows_the_weights_of_every_head():
    layer, x = SelfAttention(6, heads=3, rng=rng()), images(2, 5, 6)
    attention = layer.attention(x)
    assert attention.shape == (2, 3, 5, 5)
    v = layer.qkv.predict(x)[:, :, 12:].reshape(2, 5, 3, 2)
    mixed = np.einsum("nhts,nshd->nthd", attention, v).reshape(2, 5, 6)
    np.testing.assert_allclose(layer.predict(x), layer.out.predict(mixed), rtol=1e-4, atol=1e-5)


def test_self_attention_commutes_with_a_permutation_of_the_tokens():
    layer, x = SelfAttention(6, heads=3, rng=rng()), images(2, 5, 6)
    order = [3, 0, 4, 1, 2]
    np.testing.assert_allclose(layer.predict(x[:, order]), layer.predict(x)[:, order], rtol=1e-4, atol=1e-5)


def test_the_projections_of_self_attention_keep_the_variance():
    layer = SelfAttention(200, heads=4, rng=rng())
    for projection in (layer.qkv, layer.out):
        assert projection.weight.value.std() == pytest.approx(1 / np.sqrt(200), rel=0.02)
        assert projection.weight.value.dtype == np.float32


@pytest.mark.parametrize("name", IMAGE_LAYERS)
def test_backward_skips_dx_on_request_and_sets_the_same_gradients(name):
    layer, x = IMAGE_LAYERS[name](), images(2, 6, 8, 7)
    z, backward = layer(x, training=True)
    backward(z)
    expected = {key: parameter.grad.copy() for key, parameter in layer.parameters().items()}
    z, backward = layer(x, training=True)
    assert backward(z, need_dx=False) is None
    assert all(np.array_equal(layer.parameters()[key].grad, grad) for key, grad in expected.items())


@pytest.mark.parametrize("name", IMAGE_LAYERS)
def test_predict_is_the_value_in_evaluation_mode(name):
    layer, x = IMAGE_LAYERS[name](), images(2, 6, 8, 7)
    np.testing.assert_allclose(layer.predict(x), layer(x)[0], rtol=1e-5, atol=1e-6)


def test_the_costs_are_those_counted_by_hand():
    t, d, heads = 5, 6, 3
    projections, products, softmax = 4 * 2 * t * d * d, 2 * 2 * t * t * d, 4 * heads * t * t
    assert SelfAttention(d, heads=heads, rng=rng()).flops((t, d), (t, d)) == projections + products + softmax
    assert AttentionPool2d(6).flops((6, 4, 5), (6,)) == 4 * 120 + 4 * 20
    squeeze, excite = 2 * 6 * 3, 2 * 3 * 6
    gate = 120 + squeeze + 3 + excite + 6
    assert SqueezeExcitation(6, reduction=2, rng=rng()).flops((6, 4, 5), (6, 4, 5)) == gate + 120
    assert ChannelMeanMax().flops((6, 4, 5), (2, 4, 5)) == 240
    assert SpatialAttention(rng=rng()).flops((6, 4, 5), (6, 4, 5)) == 240 + 20 * 2 * 98 + 20 + 120
    assert LayerNorm(6).flops((5, 6), (5, 6)) == 7 * 30


def test_a_summary_names_the_operations_inside():
    model = Sequential(SelfAttention(6, heads=2, rng=rng()))
    with ops.trace() as calls:
        model(images(1, 5, 6))
    assert [call.operation for call in calls] == ["linear", "multihead_attention", "linear"]


def test_impossible_gates_are_refused():
    with pytest.raises(ValueError, match="reduction: expected 1 to 6 channels, found 7"):
        SqueezeExcitation(6, reduction=7, rng=rng())
    with pytest.raises(ValueError, match="kernel_size: expected an odd number, found 4"):
        SpatialAttention(kernel_size=4, rng=rng())
