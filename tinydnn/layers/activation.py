"""The activation layers."""

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.layers.layer import Backward, Layer


class ReLU(Layer):
    """`ops.relu` as a layer."""

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x, z: any shape."""
        return ops.relu(x)


class Sigmoid(Layer):
    """`ops.sigmoid` as a layer."""

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x, z: any shape."""
        return ops.sigmoid(x)


class GELU(Layer):
    """`ops.gelu` as a layer."""

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x, z: any shape."""
        return ops.gelu(x)
