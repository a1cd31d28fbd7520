"""Layers: an operation with its parameters, and the chain of them that is a model."""

from tinydnn.layers.activation import GELU, ReLU, Sigmoid
from tinydnn.layers.attention import AttentionPool2d, SelfAttention
from tinydnn.layers.concat import Concat
from tinydnn.layers.conv import Conv2d
from tinydnn.layers.dropout import Dropout
from tinydnn.layers.gates import SpatialAttention, SqueezeExcitation
from tinydnn.layers.layer import Buffer, Layer, Parameter, he_normal
from tinydnn.layers.linear import Flatten, Linear
from tinydnn.layers.normalization import BatchNorm2d, LayerNorm
from tinydnn.layers.pooling import AvgPool2d, ChannelMeanMax, GlobalAvgPool2d, MaxPool2d
from tinydnn.layers.regions import RegionVote
from tinydnn.layers.residual import Residual
from tinydnn.layers.sequential import Sequential
from tinydnn.layers.tokens import PositionalEmbedding, TokenMean, Tokens

__all__ = [
    "GELU", "AttentionPool2d", "AvgPool2d", "BatchNorm2d", "Buffer", "ChannelMeanMax", "Concat", "Conv2d", "Dropout",
    "Flatten", "GlobalAvgPool2d", "Layer", "LayerNorm", "Linear", "MaxPool2d", "Parameter", "PositionalEmbedding",
    "ReLU", "RegionVote", "Residual", "SelfAttention", "Sequential", "Sigmoid", "SpatialAttention",
    "SqueezeExcitation", "TokenMean", "Tokens", "he_normal",
]  # fmt: skip
