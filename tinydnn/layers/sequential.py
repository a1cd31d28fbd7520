"""A model as a chain of layers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.errors import InputError
from tinydnn.layers.fusion import calls
from tinydnn.layers.layer import Backward, Buffer, Layer, Parameter, Shape

T = TypeVar("T")


def collect(by_layer: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
    """What the layers hold by name, under "layer/name"."""
    return {f"{layer}/{name}": one for layer, members in by_layer.items() for name, one in members.items()}


class Sequential(Layer):
    """Layers one after the other: z = f_L(… f_2(f_1(x))), and the chain rule back.

    Names of parameters, buffers and generators are "NN-kind/name", such as "00-conv2d/weight", or "NN-name/…" where
    `names` has one for each layer. `input_shape` (C, H, W), where it is known, is what `summary()` shows sizes for. No
    two layers may share a parameter: each sets its gradient, and the sum of both would be right.
    """

    def __init__(self, *layers: Layer, names: Sequence[str] | None = None, input_shape: Shape | None = None) -> None:
        learned = [id(parameter) for layer in layers for parameter in layer.parameters().values()]
        if len(set(learned)) < len(learned):
            raise ValueError("Sequential: expected parameters of its own in every layer, found the same in two")
        if names is not None and len(names) != len(layers):
            raise ValueError(f"Sequential: names: expected one for each of {len(layers)} layers, found {len(names)}")
        self.layers = layers
        self.names = tuple(names if names is not None else (type(layer).__name__.lower() for layer in layers))
        self.input_shape = input_shape

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """The value for x, and `backward(dz, need_dx=True)`.

        With `need_dx=False`, as in training, the backward pass ends at the first layer that learns. Of a front that
        is frozen, a training pass keeps nothing, so that there is no dx.
        """
        front = self.frozen_front() if training else 0
        if front:
            x = self.split_at(front)[0].predict(x)
        steps: list[tuple[int, Backward]] = []
        for index, _, call in calls(self.layers[front:]):
            x, step = call(x, training=training)
            steps.append((front + index, step))

        def backward(dz: Array, need_dx: bool = True) -> Array | None:
            if need_dx and front:
                raise ValueError("Sequential: expected need_dx=False, because the front is frozen and kept nothing")
            end = -1 if need_dx else self._first_that_learns()
            for index, step in reversed(steps):
                if index > end:
                    dz = step(dz)
                elif index == end:
                    step(dz, need_dx=False)
            return dz if need_dx else None

        return x, backward

    def predict(self, x: Array) -> Array:
        """The value for x in evaluation mode; what one layer needed is given back before the next begins."""
        with ops.inference_mode():
            for _, _, call in calls(self.layers):
                x = call.predict(x)
        return x

    def freeze(self, part: str) -> None:
        """Let no step of an optimiser move the front of the chain, up to the last layer of `part`.

        part: the name of a layer, or what the names of several begin with: "features" is all of "features.0",
        "features.1" …
        """
        self._set_lr_scale(slice(0, self.end_of(part)), 0.0)

    def unfreeze(self, *, from_layer: str | None = None, lr_scale: float = 1.0) -> None:
        """Let the layers from this one on (None: all) learn, at `lr_scale` times the optimizer's learning rate."""
        self._set_lr_scale(slice(0 if from_layer is None else self._find(from_layer)[0], None), lr_scale)

    def end_of(self, part: str) -> int:
        """How many layers there are up to the last of `part`."""
        return self._find(part)[-1] + 1

    def layer_before(self, part: str) -> str | None:
        """The name of the layer before the first of `part`; None where that is the first of all."""
        first = self._find(part)[0]
        return self.names[first - 1] if first else None

    def _set_lr_scale(self, layers: slice, lr_scale: float) -> None:
        for layer in self.layers[layers]:
            for parameter in layer.parameters().values():
                parameter.lr_scale = lr_scale

    def frozen_front(self) -> int:
        """How many layers from the start do nothing but compute: frozen ones, and those between that learn nothing.

        0 where none of them is frozen. Nothing random is among them, so what they make of a picture stays the same.
        """
        front, frozen = 0, False
        for layer in self.layers:
            rates = [one.lr_scale for one in layer.parameters().values()]
            if any(rates) or layer.generators():
                break
            front, frozen = front + 1, frozen or bool(rates)
        return front if frozen else 0

    def split_at(self, at: int) -> tuple["Sequential", "Sequential"]:
        """The first `at` layers as one chain and the rest as another; the layers are those of this chain."""
        shape = self.input_shape
        front = Sequential(*self.layers[:at], names=self.names[:at], input_shape=shape)
        return front, Sequential(*self.layers[at:], names=self.names[at:], input_shape=None if at else shape)

    def named_layers(self) -> Iterator[tuple[str, Layer]]:
        """The layers in order with their names, "NN-name"."""
        for index, (name, layer) in enumerate(zip(self.names, self.layers, strict=True)):
            yield f"{index:02d}-{name}", layer

    def parameters(self) -> dict[str, Parameter]:
        """The learned numbers of all layers."""
        return collect({name: layer.parameters() for name, layer in self.named_layers()})

    def buffers(self) -> dict[str, Buffer]:
        """The kept numbers of all layers."""
        return collect({name: layer.buffers() for name, layer in self.named_layers()})

    def generators(self) -> dict[str, np.random.Generator]:
        """The random generators of all layers."""
        return collect({name: layer.generators() for name, layer in self.named_layers()})

    def summary(self, input_shape: Shape | None = None) -> str:
        """A table: layer, output shape, parameters, FLOPs of an image, and which implementation runs."""
        from tinydnn.layers.summary import summary

        shape = input_shape or self.input_shape
        if shape is None:
            raise ValueError("summary: expected an input shape (C, H, W), found none in the call and none in the model")
        return summary(self, shape)

    def _first_that_learns(self) -> int:
        learns = (any(one.lr_scale for one in layer.parameters().values()) for layer in self.layers)
        return next((index for index, found in enumerate(learns) if found), len(self.layers))

    def _find(self, part: str) -> list[int]:
        """The layers that `part` names."""
        found = [i for i, name in enumerate(self.names) if name == part or name.startswith(f"{part}.")]
        if not found:
            raise InputError(f"layer: expected one of {', '.join(dict.fromkeys(self.names))}, found {part!r}")
        return found

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """The sum over the layers, which takes a forward pass of one picture to find their shapes."""
        from tinydnn.layers.summary import layer_rows

        return sum(row.flops for row in layer_rows(self, input_shape))
