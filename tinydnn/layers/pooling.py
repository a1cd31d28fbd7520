"""The pooling layers."""

from math import prod

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.layers.layer import Backward, Layer, Shape


class _Pool2d(Layer):
    """A window of `window` × `window` pixels that moves by `stride` pixels (None: by its own size)."""

    def __init__(self, window: int = 2, *, stride: int | None = None) -> None:
        self.window, self.stride = window, stride

    def config(self) -> dict[str, int | float | bool | None]:
        """The constructor's arguments."""
        return {"window": self.window, "stride": self.stride}

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """One comparison or addition per pixel of each window."""
        return prod(output_shape) * self.window**2


class MaxPool2d(_Pool2d):
    """`ops.maxpool2d` as a layer."""

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x: (N, C, H, W). z: (N, C, H', W')."""
        return ops.maxpool2d(x, window=self.window, stride=self.stride)


class AvgPool2d(_Pool2d):
    """`ops.avgpool2d` as a layer."""

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x: (N, C, H, W). z: (N, C, H', W')."""
        return ops.avgpool2d(x, window=self.window, stride=self.stride)


class GlobalAvgPool2d(Layer):
    """`ops.global_avgpool2d` as a layer."""

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x: (N, C, H, W). z: (N, C)."""
        return ops.global_avgpool2d(x)

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """One addition per pixel."""
        return prod(input_shape)


class ChannelMeanMax(Layer):
    """`ops.channel_mean_max` as a layer."""

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x: (N, C, H, W). z: (N, 2, H, W)."""
        return ops.channel_mean_max(x)

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """An addition and a comparison per element."""
        return 2 * prod(input_shape)
