"""The convolution layer."""

from math import prod

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.layers.layer import Backward, Layer, Parameter, Shape, he_normal


class Conv2d(Layer):
    """`ops.conv2d` with a learned kernel and bias.

    weight: (out_channels, in_channels, kernel_size, kernel_size). bias: (out_channels,), zeros at first; none with
    `bias=False`, as before batch normalisation, which cancels any bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        rng: np.random.Generator,
    ) -> None:
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.stride, self.padding = stride, padding
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        self.weight = Parameter(he_normal(shape, prod(shape[1:]), rng))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x: (N, in_channels, H, W). z: (N, out_channels, H', W')."""
        bias = self.bias.value if self.bias else None
        z, op_backward = ops.conv2d(x, self.weight.value, bias, stride=self.stride, padding=self.padding)
        return z, self.layer_backward(op_backward)

    def layer_backward(self, op_backward: Backward) -> Backward:
        """The operation's backward function, which returns (dx, dw, db), as one that stores dw, db and returns dx."""

        def backward(dz: Array, need_dx: bool = True) -> Array | None:
            dx, self.weight.grad, db = op_backward(dz, need_dx=need_dx)
            if self.bias:
                self.bias.grad = db
            return dx

        return backward

    def config(self) -> dict[str, int | float | bool | None]:
        """The constructor's arguments, without the generator."""
        return {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
            "bias": self.bias is not None,
        }

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """A multiplication and an addition per weight and output pixel; the bias adds one more."""
        return prod(output_shape) * (2 * prod(self.weight.value.shape[1:]) - (self.bias is None))
