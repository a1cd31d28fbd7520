"""Guided backpropagation: the gradient through the positive influences alone."""

from collections.abc import Iterator
from copy import copy
from typing import cast

from tinydnn.backend import Array, array_module
from tinydnn.errors import InputError
from tinydnn.explain.feature_map import contains_relu
from tinydnn.explain.score import score_gradient
from tinydnn.layers import Layer, MaxPool2d, ReLU, Sequential
from tinydnn.layers.layer import Backward


class PositiveGradient(Layer):
    """The identity, whose backward pass lets positive gradients pass only: z = x, dx = max(0, dz).

    It is not the gradient of z. After a ReLU it makes the guided one: dx = dz where x > 0 and dz > 0.
    """

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x, z: any shape."""
        return x, lambda dz: array_module(dz).maximum(dz, 0)


def guided_backprop(model: Sequential, x: Array, classes: Array) -> Array:
    """The gradient of the score by the image, with a guided ReLU in place of every `ReLU`.

        a[n,c,i,j] = ∂s[n] / ∂x[n,c,i,j]          where each ReLU has dx = dz · [x > 0] · [dz > 0]

    The maps are sharp, but they show edges of the image more than what the class depends on: they hardly change when
    the weights of the last layers become random (Adebayo et al., Sanity Checks for Saliency Maps, 2018).

    x, a: (N, C, H, W). classes: (N,) integers. Raises `InputError` for a model without ReLU.

    Source: Springenberg et al., Striving for Simplicity (2015), section 3.4 and figure 1.
    """
    if not contains_relu(model):
        raise InputError("guided-backprop: expected a model with a ReLU, found none")
    return score_gradient(cast(Sequential, guided(model)), x, classes)


def guided(layer: Layer) -> Layer:
    """The layer with a guided ReLU in place of every `ReLU` in it; it shares all parameters and changes nothing.

    The ReLUs stay where `Sequential` can fuse them with their neighbours.
    """
    if isinstance(layer, ReLU):
        return Sequential(layer, PositiveGradient())
    if not contains_relu(layer):
        return layer
    if isinstance(layer, Sequential):
        return Sequential(*_guided_chain(layer.layers), input_shape=layer.input_shape)
    twin = copy(layer)
    for name, member in vars(layer).items():
        if isinstance(member, Layer):
            setattr(twin, name, guided(member))
        elif isinstance(member, tuple) and any(isinstance(inner, Layer) for inner in member):
            setattr(twin, name, tuple(guided(inner) for inner in member))
    return twin


def _guided_chain(layers: tuple[Layer, ...]) -> Iterator[Layer]:
    """The layers of a chain, with `PositiveGradient` after each ReLU, or after the max pooling that follows it.

    Where no windows overlap, each dz of the pooling goes to one pixel, so its sign can be tested before as well.
    """
    pending = False
    for layer in layers:
        if pending and not (isinstance(layer, MaxPool2d) and layer.stride in (None, layer.window)):
            yield PositiveGradient()
            pending = False
        yield layer if isinstance(layer, ReLU) else guided(layer)
        if pending:
            yield PositiveGradient()
        pending = isinstance(layer, ReLU)
    if pending:
        yield PositiveGradient()
