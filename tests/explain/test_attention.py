"""Maps of attention: of pooling, of gates, and the rollout of a transformer."""

import numpy as np
import pytest

from tinydnn import explain
from tinydnn.errors import InputError
from tinydnn.explain.upsample import upsample
from tinydnn.layers import Conv2d, Flatten, Linear, ReLU, Sequential, SpatialAttention
from tinydnn.models import attention_cnn, baseline_cnn, vit_tiny

CLASSES = np.array([0, 1])


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((2, 1, 32, 48)).astype(np.float32)


def test_the_map_of_attention_pooling_is_its_attention(x):
    model = attention_cnn(image_size=32)
    pool = model.layers[12]
    pool.weight.value[:] = np.random.default_rng(1).standard_normal(pool.weight.value.shape)
    features = model.split_at(12)[0].predict(x)
    np.testing.assert_allclose(
        explain.attention(model, x, CLASSES), upsample(pool.attention(features), 32, 48), rtol=1e-5, atol=1e-7
    )


def test_the_last_layer_that_attends_gives_the_map(x):
    rng = np.random.default_rng(0)
    gates = [SpatialAttention(kernel_size=3, rng=rng) for _ in range(2)]
    model = Sequential(Conv2d(1, 2, 3, padding=1, rng=rng), ReLU(), *gates, Flatten(), Linear(3072, 3, rng=rng))
    before = model.split_at(3)[0].predict(x)
    np.testing.assert_allclose(explain.attention(model, x, CLASSES), gates[1].attention(before), rtol=1e-5)


def test_the_map_of_a_transformer_is_the_rollout_of_all_its_layers(x):
    x = x[:, :, :, :32]
    model = vit_tiny(image_size=32)
    tokens, rollout = model.split_at(3)[0].predict(x), np.eye(4)
    for residual in model.layers[3:11]:
        norm, layer = residual.branch.layers[:2]
        if hasattr(layer, "attention"):
            a = layer.attention(norm.predict(tokens)).mean(axis=1)
            rollout = (a + np.eye(4)) / 2 @ rollout
        tokens = residual.predict(tokens)
    expected = rollout.mean(axis=1).reshape(2, 2, 2)
    np.testing.assert_allclose(expected.sum(axis=(1, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(explain.attention(model, x, CLASSES), upsample(expected, 32, 32), rtol=1e-5)


def test_the_map_is_the_same_for_every_class(x):
    method, model = explain.find_method("attention"), attention_cnn(image_size=32)
    maps = [method.maps(model, x, np.full(2, k)) for k in range(3)]
    assert np.array_equal(maps[0], maps[1])
    assert np.array_equal(maps[0], maps[2])


def test_only_a_model_that_attends_has_a_map(x):
    method = explain.find_method("attention")
    assert method.supports(vit_tiny(image_size=32))
    assert method.supports(attention_cnn(image_size=32))
    assert not method.supports(baseline_cnn(image_size=32))
    with pytest.raises(
        InputError, match=r"expected a model with a layer that attends .*SpatialAttention.*, found none"
    ):
        explain.attention(baseline_cnn(image_size=32), x[..., :32], CLASSES)
