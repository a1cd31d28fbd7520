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
    """Conv2d, ReLU and MaxPool2d as one call of `ops.conv2d_relu_maxpool2d`, or the first two of `ops.conv2d_relu`."""

    conv: Conv2d
    pool: MaxPool2d | None = None

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """The value at the end of the run, and the backward function of the convolution layer."""
        conv = self.conv
        arguments = x, conv.weight.value, conv.bias.value if conv.bias else None
        if self.pool is None:
            value, op_backward = ops.conv2d_relu(*arguments, stride=conv.stride, padding=conv.padding)
        else:
            value, op_backward = ops.conv2d_relu_maxpool2d(
                *arguments,
                stride=conv.stride,
                padding=conv.padding,
                window=self.pool.window,
                pool_stride=self.pool.stride,
            )
        return value, conv.setting_gradients(op_backward)

    def predict(self, x: Array) -> Array:
        """The value alone."""
        return self(x)[0]


def calls(layers: Sequence[Layer]) -> Iterator[tuple[int, int, ConvReluPool | Layer]]:
    """What to call, one after the other, to run the layers: (index of the first layer that it does, how many, call).

    Nothing is fused where somebody has chosen an implementation of one of the parts, or has derived a layer of
    their own from one of them. A pooling whose windows overlap is left to itself: there is no kernel for the three.
    """
    index = 0
    while index < len(layers):
        length, call = _next(layers[index : index + 3])
        yield index, length, call
        index += length


def _next(run: Sequence[Layer]) -> tuple[int, ConvReluPool | Layer]:
    """How many of the next layers go together, and what to call for them."""
    kinds = [type(layer) for layer in run]
    if kinds[:2] != [Conv2d, ReLU] or ops.overridden("conv2d", "relu"):
        return 1, run[0]
    conv = cast(Conv2d, run[0])
    if kinds[2:] == [MaxPool2d] and not ops.overridden("maxpool2d"):
        pool = cast(MaxPool2d, run[2])
        if pool.window == 2 and pool.stride in (None, 2):
            return 3, ConvReluPool(conv, pool)
    return 2, ConvReluPool(conv)
