"""The cases on which layers and models are checked."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinydnn import layers, models
from tinydnn.backend import Array
from tinydnn.layers import Layer, he_normal


@dataclass(frozen=True)
class LayerCase:
    """A layer or model, the shape of its input, and whether it runs in training mode."""

    name: str
    make: Callable[[], Layer]
    shape: tuple[int, ...]
    training: bool = True

    def __str__(self) -> str:
        return self.name if self.training else f"{self.name}, evaluation"

    def x(self) -> Array:
        """A random input in float64."""
        return np.random.default_rng(0).standard_normal(self.shape)


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)


def _concat() -> Layer:
    pointwise = layers.Sequential(layers.Conv2d(3, 2, 1, rng=_rng()), layers.Sigmoid())
    spatial = layers.Sequential(layers.Conv2d(3, 4, 3, padding=1, rng=_rng()))
    return layers.Concat(pointwise, spatial)


def _scored() -> Layer:
    layer = layers.AttentionPool2d(3)
    layer.weight.value[:] = he_normal((1, 3, 1, 1), 3, _rng())
    return layer


def _residual() -> Layer:
    return layers.Residual(layers.Sequential(layers.Linear(4, 4, rng=_rng()), layers.GELU()))


LAYER_CASES = (
    LayerCase("Conv2d", lambda: layers.Conv2d(3, 4, 3, stride=2, padding=1, rng=_rng()), (2, 3, 6, 5)),
    LayerCase("Linear", lambda: layers.Linear(4, 3, rng=_rng()), (5, 4)),
    LayerCase("BatchNorm2d", lambda: layers.BatchNorm2d(3), (2, 3, 4, 5)),
    LayerCase("BatchNorm2d", lambda: layers.BatchNorm2d(3), (2, 3, 4, 5), training=False),
    LayerCase("Dropout", lambda: layers.Dropout(0.4, rng=_rng()), (5, 7)),
    LayerCase("Dropout", lambda: layers.Dropout(0.4, rng=_rng()), (5, 7), training=False),
    LayerCase("MaxPool2d", lambda: layers.MaxPool2d(3, stride=2), (2, 3, 7, 6)),
    LayerCase("AvgPool2d", lambda: layers.AvgPool2d(2), (2, 3, 5, 6)),
    LayerCase("GlobalAvgPool2d", layers.GlobalAvgPool2d, (2, 3, 4, 5)),
    LayerCase("RegionVote", layers.RegionVote, (2, 4, 3, 5)),
    LayerCase("Concat", _concat, (2, 3, 4, 5)),
    LayerCase("ReLU", layers.ReLU, (2, 3, 4, 5)),
    LayerCase("Sigmoid", layers.Sigmoid, (5, 4)),
    LayerCase("GELU", layers.GELU, (5, 4)),
    LayerCase("AttentionPool2d", _scored, (2, 3, 4, 5)),
    LayerCase("SqueezeExcitation", lambda: layers.SqueezeExcitation(6, reduction=2, rng=_rng()), (2, 6, 4, 5)),
    LayerCase("ChannelMeanMax", layers.ChannelMeanMax, (2, 3, 4, 5)),
    LayerCase("SpatialAttention", lambda: layers.SpatialAttention(rng=_rng()), (2, 3, 8, 7)),
    LayerCase("Tokens", layers.Tokens, (2, 3, 4, 5)),
    LayerCase("PositionalEmbedding", lambda: layers.PositionalEmbedding(5, 4, rng=_rng()), (2, 5, 4)),
    LayerCase("LayerNorm", lambda: layers.LayerNorm(4), (2, 5, 4)),
    LayerCase("SelfAttention", lambda: layers.SelfAttention(6, heads=2, rng=_rng()), (2, 5, 6)),
    LayerCase("Residual", _residual, (2, 5, 4)),
    LayerCase("Linear", lambda: layers.Linear(4, 3, rng=_rng()), (2, 5, 4)),
    LayerCase("TokenMean", layers.TokenMean, (2, 5, 4)),
    LayerCase("Flatten", layers.Flatten, (2, 3, 4, 5)),
    LayerCase("baseline_cnn", lambda: models.baseline_cnn(image_size=16), (2, 1, 16, 16)),
    LayerCase("batchnorm_cnn", lambda: models.batchnorm_cnn(image_size=16), (2, 1, 16, 16)),
    LayerCase("region_cnn", lambda: models.region_cnn(image_size=16), (2, 1, 16, 16)),
    LayerCase("large_region_cnn", lambda: models.large_region_cnn(image_size=32), (2, 1, 32, 32)),
    LayerCase("batchnorm_cnn", lambda: models.batchnorm_cnn(image_size=16), (2, 1, 16, 16), training=False),
    LayerCase("attention_cnn", lambda: models.attention_cnn(image_size=32), (2, 1, 32, 32)),
    LayerCase("vit_tiny", lambda: models.vit_tiny(image_size=32), (2, 1, 32, 32)),
)
