"""A model as a chain of layers."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

import numpy as np

from tinydnn.backend import Array
from tinydnn.layers.fusion import calls
from tinydnn.layers.layer import Backward, Buffer, Layer, Parameter, Shape

T = TypeVar("T")


class Sequential(Layer):
    """Layers one after the other: z = f_L(… f_2(f_1(x))), and the chain rule back.

    Names of parameters, buffers and generators are "NN-kind/name", such as "00-conv2d/weight". `input_shape`
    (C, H, W), where it is known, is what `summary()` shows sizes for. No two layers may share a parameter: each sets
    its gradient, and the sum of both would be right.
    """

    def __init__(self, *layers: Layer, input_shape: Shape | None = None) -> None:
        learned = [id(parameter) for layer in layers for parameter in layer.parameters().values()]
        if len(set(learned)) < len(learned):
            raise ValueError("Sequential: expected parameters of its own in every layer, found the same in two")
        self.layers = layers
        self.input_shape = input_shape

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """The value for x, and `backward(dz, need_dx=True)`.

        With `need_dx=False`, as in training, the backward pass ends at the first layer that has parameters.
        """
        steps: list[tuple[int, Backward]] = []
        for index, _, call in calls(self.layers):
            x, step = call(x, training=training)
            steps.append((index, step))

        def backward(dz: Array, need_dx: bool = True) -> Array | None:
            end = -1 if need_dx else self._first_with_parameters()
            for index, step in reversed(steps):
                if index > end:
                    dz = step(dz)
                elif index == end:
                    step(dz, need_dx=False)
            return dz if need_dx else None

        return x, backward

    def predict(self, x: Array) -> Array:
        """The value for x in evaluation mode; what one layer needed is given back before the next begins."""
        for _, _, call in calls(self.layers):
            x = call(x)[0]
        return x

    def named_layers(self) -> Iterator[tuple[str, Layer]]:
        """The layers in order with their names, "NN-kind"."""
        for index, layer in enumerate(self.layers):
            yield f"{index:02d}-{type(layer).__name__.lower()}", layer

    def parameters(self) -> dict[str, Parameter]:
        """The learned numbers of all layers."""
        return self._collect({name: layer.parameters() for name, layer in self.named_layers()})

    def buffers(self) -> dict[str, Buffer]:
        """The kept numbers of all layers."""
        return self._collect({name: layer.buffers() for name, layer in self.named_layers()})

    def generators(self) -> dict[str, np.random.Generator]:
        """The random generators of all layers."""
        return self._collect({name: layer.generators() for name, layer in self.named_layers()})

    def summary(self, input_shape: Shape | None = None) -> str:
        """A table: layer, output shape, parameters, FLOPs of an image, and which implementation runs."""
        from tinydnn.layers.summary import summary

        shape = input_shape or self.input_shape
        if shape is None:
            raise ValueError("summary: expected an input shape (C, H, W), found none in the call and none in the model")
        return summary(self, shape)

    def _first_with_parameters(self) -> int:
        return next((i for i, layer in enumerate(self.layers) if layer.parameters()), len(self.layers))

    @staticmethod
    def _collect(by_layer: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
        return {f"{layer}/{name}": one for layer, members in by_layer.items() for name, one in members.items()}

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """The sum over the layers, which takes a forward pass of one picture to find their shapes."""
        from tinydnn.layers.summary import layer_rows

        return sum(row.flops for row in layer_rows(self, input_shape))
