"""A branch whose output is added to its input."""

from math import prod

from tinydnn.backend import Array
from tinydnn.layers.layer import Backward, Layer, Shape
from tinydnn.layers.sequential import Sequential


class Residual(Layer):
    """The identity and a branch f beside it.

        z  = x + f(x)
        dx = dz + f'(dz)

    The branch is a `Sequential` whose output has the shape of its input.

    Source: He et al., Deep Residual Learning for Image Recognition (2016), equation 1.
    """

    def __init__(self, branch: Sequential) -> None:
        self.branch = branch

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x, z: of one shape."""
        f, branch_backward = self.branch(x, training=training)

        def backward(dz: Array, need_dx: bool = True) -> Array | None:
            dx = branch_backward(dz, need_dx=need_dx)
            return dz + dx if need_dx else None

        return self.add(x, f), backward

    def predict(self, x: Array) -> Array:
        """The output for x in evaluation mode, without a backward function."""
        return self.add(x, self.branch.predict(x))

    @staticmethod
    def add(x: Array, f: Array) -> Array:
        """The sum x + f. Raises `ValueError` for another shape of f."""
        if f.shape != x.shape:
            raise ValueError(
                f"Residual: expected a branch whose output has its input's shape {x.shape}, found {f.shape}"
            )
        return x + f

    def named_layers(self) -> tuple[tuple[str, Layer], ...]:
        """The branch."""
        return (("00-sequential", self.branch),)

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """Those of the branch, and an addition per element."""
        return self.branch.flops(input_shape, output_shape) + prod(output_shape)
