"""The networks that attend."""

import numpy as np

from tinydnn import SGD, ops
from tinydnn.models import attention_cnn, baseline_cnn, vit_tiny


def kinds(layers):
    return [type(layer).__name__ for layer in layers]


def test_attention_cnn_is_the_baseline_with_attention_pooling_in_place_of_flattening():
    expected = ["AttentionPool2d" if kind == "Flatten" else kind for kind in kinds(baseline_cnn().layers)]
    model = attention_cnn()
    assert kinds(model.layers) == expected
    assert model.layers[13].weight.value.shape == (128, 128)
    baseline = baseline_cnn(image_size=32, seed=5).state()
    own = attention_cnn(image_size=32, seed=5).state()
    assert all(np.array_equal(own[key], baseline[key]) for key in own if "conv2d" in key)


def test_attention_cnn_takes_images_of_other_sizes():
    assert attention_cnn(image_size=64).predict(np.zeros((1, 1, 48, 80), np.float32)).shape == (1, 3)


def test_a_vision_transformer_has_a_token_for_each_patch_and_blocks_of_two_residuals():
    model = vit_tiny(image_size=64)
    assert kinds(model.layers) == [
        "Conv2d", "Tokens", "PositionalEmbedding", *8 * ["Residual"], "LayerNorm", "TokenMean", "Linear"
    ]  # fmt: skip
    assert model.layers[2].weight.value.shape == (16, 64)
    attention, mlp = (layer.branch.layers for layer in model.layers[3:5])
    assert kinds(attention) == ["LayerNorm", "SelfAttention"]
    assert kinds(mlp) == ["LayerNorm", "Linear", "GELU", "Linear"]


def test_the_parameters_of_a_vision_transformer_are_those_counted_by_hand():
    d, hidden, tokens = 64, 128, 16
    block = 4 * (d * d + d) + (d * hidden + hidden) + (hidden * d + d) + 2 * 2 * d
    by_hand = (256 * d + d) + tokens * d + 4 * block + 2 * d + (3 * d + 3)
    assert vit_tiny(image_size=64).summary().parameters == by_hand


def test_the_models_learn_a_batch_by_heart():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 1, 32, 32)).astype(np.float32), np.array([0, 1, 2, 0, 1, 2])
    for model in (attention_cnn(image_size=32), vit_tiny(image_size=32)):
        optimizer = SGD(model.parameters(), lr=0.02, momentum=0.9)
        losses = []
        for _ in range(40):
            logits, backward = model(x)
            loss, loss_backward = ops.softmax_cross_entropy(logits, y)
            backward(loss_backward(), need_dx=False)
            optimizer.step()
            losses.append(float(loss))
        assert losses[-1] < 0.1 < losses[0]
