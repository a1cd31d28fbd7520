"""Layers: an operation with its parameters, and the chain of them that is a model."""

from tinydnn.layers.activation import ReLU, Sigmoid
from tinydnn.layers.concat import Concat
from tinydnn.layers.conv import Conv2d
from tinydnn.layers.dropout import Dropout
from tinydnn.layers.layer import Buffer, Layer, Parameter, he_normal
from tinydnn.layers.linear import Flatten, Linear
from tinydnn.layers.normalization import BatchNorm2d
from tinydnn.layers.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from tinydnn.layers.regions import RegionVote
from tinydnn.layers.sequential import Sequential

__all__ = [
    "AvgPool2d", "BatchNorm2d", "Buffer", "Concat", "Conv2d", "Dropout", "Flatten", "GlobalAvgPool2d", "Layer",
    "Linear", "MaxPool2d", "Parameter", "ReLU", "RegionVote", "Sequential", "Sigmoid", "he_normal",
]  # fmt: skip
