"""The layer that sums up a map of regions."""

from math import prod

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.layers.layer import Backward, Layer, Shape


class RegionVote(Layer):
    """`ops.region_vote` as a layer: the last one of a network that says of each region what it shows."""

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x: (N, K+1, H, W); the value: logits (N, K)."""
        return ops.region_vote(x)

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """For each number a subtraction, an exponential, a division and two additions."""
        return 5 * prod(input_shape)
