"""A feature map inside a network, and the gradient of the score by it."""

from collections.abc import Iterator

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.errors import InputError
from tinydnn.explain.score import keep_gradients, one_hot
from tinydnn.layers import Layer, ReLU, Sequential


def feature_map_and_gradient(model: Sequential, x: Array, classes: Array, layer: str | None) -> tuple[Array, Array]:
    """A, the output of a layer, and ∂s/∂A, both (N, C', H', W'); s is that of `score_gradient`.

    The chain of layers is cut after the layer, so the backward pass ends there. layer: a name, as `layer_index` takes;
    None for the one of `last_feature_layer`. Raises `InputError` if there is no such layer, or its output has no
    positions.
    """
    before, after = model.split_at(last_feature_layer(model) + 1 if layer is None else layer_index(model, layer) + 1)
    a = before.predict(x)
    if a.ndim != 4:
        raise InputError(f"layer {layer}: expected a feature map (N, C, H, W), found an output of shape {a.shape}")
    with keep_gradients(after):
        logits, backward = after(a)
        return a, backward(one_hot(classes, logits))


def layer_index(model: Layer, name: str) -> int:
    """The index of a layer by its full name, such as "10-relu", or by a name that no other layer has: "features.29"."""
    known = [full_name for full_name, _ in model.named_layers()]
    short = [full_name.partition("-")[2] for full_name in known]
    if name in known:
        return known.index(name)
    if short.count(name) == 1:
        return short.index(name)
    raise InputError(f"layer: expected one of {', '.join(known) or 'no layers'}, found {name!r}")


def last_feature_layer(model: Sequential) -> int:
    """The index of the last layer that is or contains a ReLU and whose output is a feature map (N, C, H, W).

    The deepest features that still have positions: Selvaraju et al., Grad-CAM, section 3.1. Raises `InputError` for a
    model without one.
    """
    found = _rectified(model)
    if not found:
        raise InputError("layer: expected a model with a ReLU whose output is a feature map (N, C, H, W), found none")
    return found[-1]


def has_feature_map(model: Sequential) -> bool:
    """Whether `last_feature_layer` finds a layer."""
    return bool(_rectified(model))


def _rectified(model: Sequential) -> list[int]:
    return [i for i, (layer, z) in enumerate(outputs(model)) if z.ndim == 4 and contains_relu(layer)]


def outputs(model: Sequential) -> Iterator[tuple[Layer, Array]]:
    """Each layer with its output for an image of zeros."""
    if model.input_shape is None:
        raise InputError("model: expected an input shape (C, H, W), found none")
    values = [parameter.value for parameter in model.parameters().values()]
    xp, dtype = (array_module(values[0]), values[0].dtype) if values else (np, np.float32)
    z = xp.zeros((1, *model.input_shape), dtype)
    for layer in model.layers:
        z = layer.predict(z)
        yield layer, z


def contains_relu(layer: Layer) -> bool:
    """Whether the layer is a ReLU or contains one, at any depth."""
    return isinstance(layer, ReLU) or any(contains_relu(inner) for _, inner in layer.named_layers())
