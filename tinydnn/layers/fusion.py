"""Fusion: adjacent layers that a single operation can compute.

A model is built from single layers. When it runs, `Sequential` fuses convolution, ReLU and max pooling where an
operation for the sequence exists. Parameters and gradients stay those of the single layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.layers.activation import ReLU
from tinydnn.layers.conv import Conv2d
from tinydnn.layers.layer import Backward, Layer
from tinydnn.layers.pooling import MaxPool2d


@dataclass(frozen=True)
class ConvReluPool:
    """Conv2d, ReLU and MaxPool2d as one `ops.conv2d_relu_maxpool2d`, or the first two as one `ops.conv2d_relu`."""

    conv: Conv2d
    pool: MaxPool2d | None = None

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """The output of the last layer, and a backward function that stores dw and db in the convolution layer."""
        conv, pool = self.conv, self.pool
        bias = conv.bias.value if conv.bias else None
        if pool is None:
            z, op_backward = ops.conv2d_relu(x, conv.weight.value, bias, stride=conv.stride, padding=conv.padding)
        else:
            z, op_backward = ops.conv2d_relu_maxpool2d(
                x, conv.weight.value, bias, stride=conv.stride, padding=conv.padding,
                window=pool.window, pool_stride=pool.stride,
            )  # fmt: skip
        return z, conv.layer_backward(op_backward)

    def predict(self, x: Array) -> Array:
        """The output alone."""
        return self(x)[0]


class Group(NamedTuple):
    """Layers that run as one call: the index of the first, how many there are, and the call."""

    first: int
    length: int
    call: ConvReluPool | Layer


def fused(layers: Sequence[Layer]) -> list[Group]:
    """Group the layers of a chain into the calls that compute them.

    Nothing is fused where `ops.use` has chosen an implementation of one of the operations, or where a layer is of a
    subclass. Pooling is fused only if it is 2 × 2 with stride 2, which is all that the kernels compute.
    """
    fuse_relu, fuse_pool = not ops.overridden("conv2d", "relu"), not ops.overridden("maxpool2d")
    kinds = [type(layer) for layer in layers]
    groups: list[Group] = []
    first = 0
    while first < len(layers):
        group = Group(first, 1, layers[first])
        if fuse_relu and kinds[first : first + 2] == [Conv2d, ReLU]:
            conv = cast(Conv2d, layers[first])
            group = Group(first, 2, ConvReluPool(conv))
            if fuse_pool and kinds[first + 2 : first + 3] == [MaxPool2d]:
                pool = cast(MaxPool2d, layers[first + 2])
                if pool.window == 2 and pool.stride in (None, 2):
                    group = Group(first, 3, ConvReluPool(conv, pool))
        groups.append(group)
        first += group.length
    return groups
