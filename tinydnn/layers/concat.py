"""Parallel branches, concatenated along the channels."""

from itertools import pairwise

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.layers.layer import Backward, Layer, Shape
from tinydnn.layers.sequential import Sequential


class Concat(Layer):
    """Parallel branches f_k of the same x, their outputs concatenated along the channels.

        z  = [f_1(x), f_2(x), …]        (N, C_1 + C_2 + …, H, W)
        dx = Σ_k dx_k                   where branch k gets its channels of dz

    A branch is a `Sequential`. All branches must give the same output size.

    Source: Szegedy et al., Going deeper with convolutions, section 4 (depth concatenation).
    """

    def __init__(self, *branches: Sequential) -> None:
        if not branches:
            raise ValueError("Concat: expected branches, found none")
        self.branches = branches

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x: (N, C, H, W). z: (N, sum of the branches' channels, H', W')."""
        values, backwards = zip(*(branch(x, training=training) for branch in self.branches), strict=True)
        edges = np.cumsum([0, *(value.shape[1] for value in values)]).tolist()

        def backward(dz: Array, need_dx: bool = True) -> Array | None:
            parts = [dz[:, start:stop] for start, stop in pairwise(edges)]
            gradients = [branch(part, need_dx=need_dx) for branch, part in zip(backwards, parts, strict=True)]
            return sum(gradients[1:], start=gradients[0]) if need_dx else None

        return self._concatenate(values), backward

    def predict(self, x: Array) -> Array:
        """The output for x in evaluation mode, without a backward function."""
        return self._concatenate([branch.predict(x) for branch in self.branches])

    @staticmethod
    def _concatenate(values: list[Array] | tuple[Array, ...]) -> Array:
        sizes = {value.shape[2:] for value in values}
        if len(sizes) > 1:
            raise ValueError(f"Concat: expected branches of one output size, found {sorted(sizes)}")
        return array_module(values[0]).concatenate(values, axis=1)

    def named_layers(self) -> list[tuple[str, Layer]]:
        """The branches with their names, "NN-sequential"."""
        return [(f"{index:02d}-sequential", branch) for index, branch in enumerate(self.branches)]

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """The sum over the branches."""
        return sum(branch.flops(input_shape, output_shape) for branch in self.branches)
