"""Learned filters: the weights of a convolution."""

from collections.abc import Iterator

from tinydnn.backend import Array
from tinydnn.errors import InputError
from tinydnn.explain.feature_maps import layers_up_to
from tinydnn.layers import Conv2d, Layer, Sequential


def learned_filters(model: Sequential, layer: str | None = None) -> Array:
    """The weights (O, C, K, K) of a convolution: a filter of K × K for each of O outputs and C inputs.

    layer: a name as `feature_maps` takes; None for the first convolution. Raises `InputError` if there is no such
    layer, or it is no convolution.
    """
    known = dict(convolutions(model))
    if not known:
        raise InputError("filters: expected a model with a convolution, found none")
    if layer is None:
        return next(iter(known.values())).weight.value
    found = layers_up_to(model, layer).layers[-1]
    if not isinstance(found, Conv2d):
        raise InputError(f"layer {layer}: expected a convolution ({', '.join(known)}), found {type(found).__name__}")
    return found.weight.value


def convolutions(model: Layer) -> Iterator[tuple[str, Conv2d]]:
    """All convolutions with their names, "03-features.3/00-squeeze" for one inside another layer."""
    for name, layer in model.named_layers():
        if isinstance(layer, Conv2d):
            yield name, layer
        for inner, convolution in convolutions(layer):
            yield f"{name}/{inner}", convolution


def strongest_inputs(weights: Array) -> Array:
    """The input channel c to which each filter gives most weight, argmax_c Σ_{u,v} w[o,c,u,v]², (O,)."""
    return (weights**2).sum(axis=(2, 3)).argmax(axis=1)
