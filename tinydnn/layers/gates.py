"""Layers that gate an image by attention: squeeze-and-excitation its channels, spatial attention its positions."""

from math import prod

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.layers.activation import ReLU, Sigmoid
from tinydnn.layers.conv import Conv2d
from tinydnn.layers.layer import Backward, Layer, Shape
from tinydnn.layers.linear import Linear
from tinydnn.layers.pooling import ChannelMeanMax, GlobalAvgPool2d
from tinydnn.layers.sequential import Sequential


class _Gate(Layer):
    """z = gate2d(x, a), where a = f(x) is the output of the layers of `gate`."""

    gate: Sequential

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x, z: (N, C, H, W)."""
        a, gate_backward = self.gate(x, training=training)
        z, op_backward = ops.gate2d(x, a)

        def backward(dz: Array, need_dx: bool = True) -> Array | None:
            dx, da = op_backward(dz)
            through_gate = gate_backward(da, need_dx=need_dx)
            return dx + through_gate if need_dx else None

        return z, backward

    def predict(self, x: Array) -> Array:
        """The output for x in evaluation mode, without a backward function."""
        return ops.gate2d(x, self.gate.predict(x))[0]

    def named_layers(self) -> tuple[tuple[str, Layer], ...]:
        """The layers of the gate, as one chain."""
        return (("gate", self.gate),)

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """Those of the gate, and a multiplication per element."""
        return self.gate.flops(input_shape, input_shape) + prod(input_shape)


class SqueezeExcitation(_Gate):
    """A gate for each channel, from the means of all channels.

        m = global_avgpool2d(x)                                   (N, channels)
        a = σ(W_2 · relu(W_1 · m + b_1) + b_2)                    (N, channels)
        z = gate2d(x, a)

    W_1 has channels / `reduction` rows.

    Source: Hu et al., Squeeze-and-Excitation Networks (2018), section 3; the biases are ours.
    """

    def __init__(self, channels: int, *, reduction: int = 16, rng: np.random.Generator) -> None:
        if not 1 <= reduction <= channels:
            raise ValueError(f"SqueezeExcitation: reduction: expected 1 to {channels} channels, found {reduction}")
        self.channels, self.reduction = channels, reduction
        hidden = channels // reduction
        squeeze, excite = Linear(channels, hidden, rng=rng), Linear(hidden, channels, rng=rng)
        self.gate = Sequential(GlobalAvgPool2d(), squeeze, ReLU(), excite, Sigmoid())

    def config(self) -> dict[str, int | float | bool | None]:
        """The constructor's arguments, without the generator."""
        return {"channels": self.channels, "reduction": self.reduction}


class SpatialAttention(_Gate):
    """A gate for each position, from the mean and the maximum of its channels and of those around it.

        m = channel_mean_max(x)                                   (N, 2, H, W)
        a = σ(conv2d(m, w, b))                                    (N, 1, H, W), as large as x
        z = gate2d(x, a)

    `kernel_size` is odd: the convolution keeps the size.

    Source: Woo et al., CBAM: Convolutional Block Attention Module (2018), section 3, with a kernel of 7 × 7.
    """

    def __init__(self, *, kernel_size: int = 7, rng: np.random.Generator) -> None:
        if kernel_size % 2 == 0:
            raise ValueError(f"SpatialAttention: kernel_size: expected an odd number, found {kernel_size}")
        self.kernel_size = kernel_size
        score = Conv2d(2, 1, kernel_size, padding=kernel_size // 2, rng=rng)
        self.gate = Sequential(ChannelMeanMax(), score, Sigmoid())

    def attention(self, x: Array) -> Array:
        """The gate of each position, (N, H, W), from 0 to 1."""
        return self.gate.predict(x)[:, 0]

    def config(self) -> dict[str, int | float | bool | None]:
        """The constructor's arguments, without the generator."""
        return {"kernel_size": self.kernel_size}
