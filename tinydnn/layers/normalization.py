"""The normalisation layers."""

from math import prod

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.layers.layer import Backward, Buffer, Layer, Parameter, Shape


class BatchNorm2d(Layer):
    """`ops.batchnorm2d` with a learned scale and shift, and running statistics for evaluation.

    In training each batch is normalised with its own moments, and the running moments are updated:

        running = (1 − momentum) · running + momentum · batch

    with the unbiased variance (over M − 1 of M pixels). Evaluation uses the running moments.
    gamma (ones at first), beta (zeros), running_mean (zeros), running_var (ones): (channels,).
    """

    def __init__(self, channels: int, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        self.channels, self.momentum, self.eps = channels, float(momentum), float(eps)
        self.gamma = Parameter(np.ones(channels, np.float32))
        self.beta = Parameter(np.zeros(channels, np.float32))
        self.running_mean = Buffer(np.zeros(channels, np.float32))
        self.running_var = Buffer(np.ones(channels, np.float32))

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x, z: (N, channels, H, W)."""
        if training:
            (mean, var), _ = ops.moments(x)  # the gradient of batchnorm2d includes theirs
        else:
            mean, var = self.running_mean.value, self.running_var.value
        z, op_backward = ops.batchnorm2d(
            x, self.gamma.value, self.beta.value, mean, var, batch_statistics=training, eps=self.eps
        )
        if training:
            self._update_running_moments(mean, var, count=x.size // self.channels)

        def backward(dz: Array, need_dx: bool = True) -> Array | None:
            dx, self.gamma.grad, self.beta.grad = op_backward(dz, need_dx=need_dx)
            return dx

        return z, backward

    def _update_running_moments(self, mean: Array, var: Array, count: int) -> None:
        remaining, unbiased = 1 - self.momentum, count / max(count - 1, 1)
        # In place, because a replayed GPU step writes to the captured addresses.
        for running, batch in ((self.running_mean.value, mean), (self.running_var.value, unbiased * var)):
            running *= remaining
            running += self.momentum * batch

    def config(self) -> dict[str, int | float | bool | None]:
        """The constructor's arguments."""
        return {"channels": self.channels, "momentum": self.momentum, "eps": self.eps}

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """In evaluation: a subtraction, two multiplications and an addition per element."""
        return 4 * prod(output_shape)


class LayerNorm(Layer):
    """`ops.layernorm` with a learned scale and shift.

    gamma (ones at first), beta (zeros): (features,).
    """

    def __init__(self, features: int, *, eps: float = 1e-5) -> None:
        self.features, self.eps = features, float(eps)
        self.gamma = Parameter(np.ones(features, np.float32))
        self.beta = Parameter(np.zeros(features, np.float32))

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x, z: (N, T, features)."""
        z, op_backward = ops.layernorm(x, self.gamma.value, self.beta.value, eps=self.eps)

        def backward(dz: Array, need_dx: bool = True) -> Array | None:
            dx, self.gamma.grad, self.beta.grad = op_backward(dz, need_dx=need_dx)
            return dx

        return z, backward

    def config(self) -> dict[str, int | float | bool | None]:
        """The constructor's arguments."""
        return {"features": self.features, "eps": self.eps}

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """Two sums, a subtraction, a square, two multiplications and an addition per element."""
        return 7 * prod(output_shape)
