"""Networks that attend: the paper's with attention pooling, and a tiny vision transformer."""

import numpy as np

from tinydnn.errors import InputError
from tinydnn.layers import (
    GELU,
    AttentionPool2d,
    Conv2d,
    Layer,
    LayerNorm,
    Linear,
    MaxPool2d,
    PositionalEmbedding,
    ReLU,
    Residual,
    SelfAttention,
    Sequential,
    TokenMean,
    Tokens,
)
from tinydnn.models.paper import CHANNELS, check_size, classifier, dropout

PATCH, FEATURES, HEADS, BLOCKS = 16, 64, 4, 4
EXPANSION = 2  # hidden units of a block's fully connected layers, per feature


def attention_cnn(*, image_size: int = 256, in_channels: int = 1, classes: int = 3, seed: int = 0) -> Sequential:
    """The network of `baseline_cnn` with attention pooling in place of flattening.

    (N, in_channels, S, S) → … → 128 channels at S/16 → their weighted means (N, 128) → 128 → logits (N, classes).

    The pooled features are 128 whatever the image's size, so the first fully connected layer has 128² weights where
    that of the baseline has 128² · (S/16)²; where a feature was found is no longer known to it.

    Source: `baseline_cnn`; Ilse, Tomczak and Welling, Attention-based Deep Multiple Instance Learning (2018).
    """
    check_size(image_size)
    rng = np.random.default_rng(seed)
    layers: list[Layer] = []
    previous = in_channels
    for channels in CHANNELS:
        layers += [Conv2d(previous, channels, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2)]
        previous = channels
    head = [
        AttentionPool2d(previous),
        Linear(previous, 128, rng=rng),
        ReLU(),
        dropout(rng),
        classifier(128, classes, rng),
    ]
    return Sequential(*layers, *head, input_shape=(in_channels, image_size, image_size))


def vit_tiny(*, image_size: int = 256, in_channels: int = 1, classes: int = 3, seed: int = 0) -> Sequential:
    """A vision transformer of 4 blocks: 64 features, 4 heads, patches of 16 × 16 pixels.

    (N, in_channels, S, S) → patches (N, 64, S/16, S/16) → tokens (N, (S/16)², 64) → 4 blocks → mean token (N, 64) →
    logits (N, classes). A block is x + attention(norm(x)), then x + mlp(norm(x)); the mlp has 128 hidden units.

    Patches, learned positions and the order within a block are those of the source. Width, depth and the mlp's
    factor of 2 (theirs: 4) are chosen so that it trains on two cores in minutes; the mean of the tokens replaces the
    class token, which their appendix D.3 finds equal. Pixels left over at the right and lower edge are not seen.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words (2021), section 3.1 and appendix D.3.
    """
    if image_size < PATCH:
        raise InputError(f"image_size: expected at least {PATCH} pixels for the side of a patch, found {image_size}")
    rng = np.random.default_rng(seed)
    patches = Conv2d(in_channels, FEATURES, PATCH, stride=PATCH, rng=rng)
    embedding = PositionalEmbedding((image_size // PATCH) ** 2, FEATURES, rng=rng)
    blocks = [layer for _ in range(BLOCKS) for layer in _block(rng)]
    head = [LayerNorm(FEATURES), TokenMean(), classifier(FEATURES, classes, rng)]
    shape = (in_channels, image_size, image_size)
    return Sequential(patches, Tokens(), embedding, *blocks, *head, input_shape=shape)


def _block(rng: np.random.Generator) -> list[Layer]:
    hidden = EXPANSION * FEATURES
    attention = SelfAttention(FEATURES, heads=HEADS, rng=rng)
    mlp = Linear(FEATURES, hidden, rng=rng), GELU(), Linear(hidden, FEATURES, rng=rng)
    return [Residual(Sequential(LayerNorm(FEATURES), attention)), Residual(Sequential(LayerNorm(FEATURES), *mlp))]
