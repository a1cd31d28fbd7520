"""A model as a chain of layers."""

from collections.abc import Iterator, Sequence

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.errors import InputError
from tinydnn.layers.fusion import fused
from tinydnn.layers.layer import Backward, Layer, Shape
from tinydnn.layers.linear import Flatten
from tinydnn.layers.summary import Summary, layer_rows
from tinydnn.layers.tokens import PositionalEmbedding


class Sequential(Layer):
    """Layers in sequence, z = f_L(… f_2(f_1(x))), and the chain rule backwards.

        dx = f_1'(… f_L'(dz))

    Parameters, buffers and generators are named "NN-kind/name", such as "00-conv2d/weight", or "NN-name/…" where
    `names` has a name for each layer. `input_shape` (C, H, W) is that of the images the model was made for; without
    `Flatten` and `PositionalEmbedding`, it takes images of other sizes too. Layers must not share a parameter: each
    would overwrite the gradient of the other.
    """

    def __init__(self, *layers: Layer, names: Sequence[str] | None = None, input_shape: Shape | None = None) -> None:
        if wrong := [layer for layer in layers if not isinstance(layer, Layer)]:
            raise TypeError(f"Sequential: expected layers, one argument each, found {type(wrong[0]).__name__}")
        parameters = [id(parameter) for layer in layers for parameter in layer.parameters().values()]
        if len(set(parameters)) < len(parameters):
            raise ValueError("Sequential: expected separate parameters in every layer, found one in two layers")
        if names is not None and len(names) != len(layers):
            raise ValueError(f"Sequential: names: expected one for each of {len(layers)} layers, found {len(names)}")
        self.layers = layers
        self.names = tuple(names if names is not None else (type(layer).__name__.lower() for layer in layers))
        self.input_shape = input_shape
        self._fixed_size = any(isinstance(layer, Flatten | PositionalEmbedding) for layer in layers)

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """The output for x, and `backward(dz, need_dx=True)`.

        With `need_dx=False`, as in training, the backward pass ends at the first layer that learns. The frozen prefix
        runs in evaluation mode and has no backward pass, so there is no dx then. Raises `InputError` if x has another
        number of channels or another size than the model was made for.
        """
        self._require_input_shape(np.shape(x))
        prefix = self.frozen_prefix() if training else 0
        if prefix:
            x = self.split_at(prefix)[0].predict(x)
        backwards: list[tuple[int, Backward]] = []
        for index, _, call in fused(self.layers[prefix:]):
            x, layer_backward = call(x, training=training)
            backwards.append((prefix + index, layer_backward))

        def backward(dz: Array, need_dx: bool = True) -> Array | None:
            if need_dx and prefix:
                raise ValueError("Sequential: expected need_dx=False, because the frozen prefix has no backward pass")
            end = -1 if need_dx else self._first_learning_layer()
            for index, layer_backward in reversed(backwards):  # the index of the first layer of a fused group
                if index > end:
                    dz = layer_backward(dz)
                elif index == end:
                    layer_backward(dz, need_dx=False)
            return dz if need_dx else None

        return x, backward

    def predict(self, x: Array) -> Array:
        """The output for x in evaluation mode; each layer's memory is released before the next one runs.

        Raises `InputError` as a call does.
        """
        self._require_input_shape(np.shape(x))
        with ops.inference_mode():
            for _, _, call in fused(self.layers):
                x = call.predict(x)
        return x

    def _require_input_shape(self, shape: Shape) -> None:
        """Raise `InputError` unless the model takes images of this shape; what is no image is left to the layers."""
        if self.input_shape is None or len(shape) < 2:
            return
        wanted = self.input_shape if self._fixed_size else (self.input_shape[0], *shape[2:4])
        if len(shape) != 4 or shape[1:] != wanted:
            expected = self.input_shape if self._fixed_size else (self.input_shape[0], "H", "W")
            raise InputError(f"model: expected images of shape (N, {', '.join(map(str, expected))}), found {shape}")

    def freeze(self, part: str) -> None:
        """Freeze the layers from the first one to the last of `part`.

        part: the name of a layer, or the common prefix of several: "features" is all of "features.0", "features.1", …
        """
        self._set_lr_scale(slice(0, self.end_of(part)), 0.0)

    def unfreeze(self, *, from_layer: str | None = None, lr_scale: float = 1.0) -> None:
        """Let the layers from this one on (None: all) learn, at `lr_scale` times the optimizer's learning rate."""
        self._set_lr_scale(slice(0 if from_layer is None else self._find(from_layer)[0], None), lr_scale)

    def end_of(self, part: str) -> int:
        """The index after the last layer of `part`."""
        return self._find(part)[-1] + 1

    def layer_before(self, part: str) -> str | None:
        """The name of the layer before the first of `part`; None if that is the first of all."""
        first = self._find(part)[0]
        return self.names[first - 1] if first else None

    def _set_lr_scale(self, layers: slice, lr_scale: float) -> None:
        for layer in self.layers[layers]:
            for parameter in layer.parameters().values():
                parameter.lr_scale = lr_scale

    def frozen_prefix(self) -> int:
        """The number of leading layers whose output is constant: frozen ones, and those without parameters between.

        0 if none of them is frozen. Layers that draw random numbers are not constant.
        """
        prefix, frozen = 0, False
        for layer in self.layers:
            scales = [parameter.lr_scale for parameter in layer.parameters().values()]
            if any(scales) or layer.generators():
                break
            prefix, frozen = prefix + 1, frozen or bool(scales)
        return prefix if frozen else 0

    def split_at(self, index: int) -> tuple["Sequential", "Sequential"]:
        """The layers before `index` as one chain and the rest as another; both share the layers of this one."""
        shape = self.input_shape
        first = Sequential(*self.layers[:index], names=self.names[:index], input_shape=shape)
        return first, Sequential(*self.layers[index:], names=self.names[index:], input_shape=None if index else shape)

    def named_layers(self) -> Iterator[tuple[str, Layer]]:
        """The layers in order with their names, "NN-name"."""
        for index, (name, layer) in enumerate(zip(self.names, self.layers, strict=True)):
            yield f"{index:02d}-{name}", layer

    def summary(self, input_shape: Shape | None = None) -> Summary:
        """A table: layer, output shape, parameters, FLOPs per image, and the implementation that runs."""
        shape = input_shape or self.input_shape
        if shape is None:
            raise ValueError("summary: expected an input shape (C, H, W), found none in the call and none in the model")
        return Summary(tuple(layer_rows(list(self.named_layers()), shape)))

    def _repr_html_(self) -> str | None:
        """The summary, in a notebook; without an input shape a notebook shows the text of `repr`."""
        return None if self.input_shape is None else self.summary()._repr_html_()

    def _first_learning_layer(self) -> int:
        for index, layer in enumerate(self.layers):
            if any(parameter.lr_scale for parameter in layer.parameters().values()):
                return index
        return len(self.layers)

    def _find(self, part: str) -> list[int]:
        """The indices of the layers that `part` names."""
        indices = [i for i, name in enumerate(self.names) if name == part or name.startswith(f"{part}.")]
        if not indices:
            groups = [name.partition(".")[0] for name in self.names if "." in name]
            known = ", ".join(dict.fromkeys([*groups, *self.names]))
            raise InputError(f"layer: expected one of {known}, found {part!r}")
        return indices

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """The sum over the layers; a forward pass of one image determines their shapes."""
        return sum(row.flops for row in layer_rows(list(self.named_layers()), input_shape))
