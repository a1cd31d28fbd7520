"""The layer that turns a region map into the logits of the image."""

from math import prod

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.layers.layer import Backward, Layer, Shape


class RegionVote(Layer):
    """`ops.region_vote` as a layer: the last one of a region network."""

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x: (N, K+1, H, W). z: logits (N, K)."""
        return ops.region_vote(x)

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """A subtraction, an exponential, a division and two additions per element."""
        return 5 * prod(input_shape)
