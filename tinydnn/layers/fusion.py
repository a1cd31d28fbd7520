"""Runs of layers that one operation does at once.

A model is built from single layers; when it runs, `Sequential` looks here whether the next few are a run that
has an implementation of its own. To whoever built the model nothing changes: the same parameters, the same
gradients.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.layers.activation import ReLU
from tinydnn.layers.conv import Conv2d
from tinydnn.layers.layer import Backward, Layer
from tinydnn.layers.pooling import MaxPool2d


@dataclass(frozen=True)
class ConvReluPool:
    """Conv2d, ReLU and MaxPool2d as one call of `ops.conv2d_relu_maxpool2d`."""

    conv: Conv2d
    pool: MaxPool2d

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """The value after pooling, and the backward function of the convolution layer."""
        value, op_backward = ops.conv2d_relu_maxpool2d(
            x,
            self.conv.weight.value,
            self.conv.bias.value if self.conv.bias else None,
            stride=self.conv.stride,
            padding=self.conv.padding,
            window=self.pool.window,
            pool_stride=self.pool.stride,
        )
        return value, self.conv.setting_gradients(op_backward)

    def predict(self, x: Array) -> Array:
        """The value alone."""
        return self(x)[0]


def calls(layers: Sequence[Layer]) -> Iterator[tuple[int, int, ConvReluPool | Layer]]:
    """What to call, one after the other, to run the layers: (index of the first layer that it does, how many, call).

    Nothing is fused where somebody has chosen an implementation of one of the parts, or has derived a layer of
    their own from one of them.
    """
    index = 0
    while index < len(layers):
        run = layers[index : index + 3]
        if [type(layer) for layer in run] == [Conv2d, ReLU, MaxPool2d] and not ops.chosen(
            "conv2d", "relu", "maxpool2d"
        ):
            conv, _, pool = run
            yield index, 3, ConvReluPool(cast(Conv2d, conv), cast(MaxPool2d, pool))
            index += 3
        else:
            yield index, 1, layers[index]
            index += 1
