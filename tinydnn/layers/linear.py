"""The fully connected layer, and the flattening before it."""

from math import prod

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.layers.layer import Backward, Layer, Parameter, Shape, he_normal


class Linear(Layer):
    """`ops.linear` with a learned weight matrix and bias.

    weight: (out_features, in_features). bias: (out_features,), zeros at first. Tokens are transformed one
    by one, all with the same weights.
    """

    def __init__(self, in_features: int, out_features: int, *, rng: np.random.Generator) -> None:
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(he_normal((out_features, in_features), in_features, rng))
        self.bias = Parameter(np.zeros(out_features, np.float32))

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x: (N, in_features), or tokens (N, T, in_features). z: (N, out_features) or (N, T, out_features)."""
        shape = x.shape
        rows = x.reshape(-1, shape[-1]) if x.ndim == 3 else x
        z, op_backward = ops.linear(rows, self.weight.value, self.bias.value)

        def backward(dz: Array, need_dx: bool = True) -> Array | None:
            dx, self.weight.grad, self.bias.grad = op_backward(dz.reshape(z.shape), need_dx=need_dx)
            return dx.reshape(shape) if need_dx else None

        return z.reshape(*shape[:-1], -1), backward

    def config(self) -> dict[str, int | float | bool | None]:
        """The constructor's arguments, without the generator."""
        return {"in_features": self.in_features, "out_features": self.out_features}

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """A multiplication and an addition per weight."""
        return 2 * prod(output_shape) * self.in_features


class Flatten(Layer):
    """Reshapes (N, C, H, W) to (N, C·H·W): channel by channel, row by row."""

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x: (N, …). z: (N, product of the other axes)."""
        shape = x.shape

        def backward(dz: Array) -> Array:
            return dz.reshape(shape)

        return x.reshape(shape[0], -1), backward

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """0: nothing is computed."""
        return 0
