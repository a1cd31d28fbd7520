"""Guided backpropagation: the gradient through the positive influences alone."""

from copy import copy
from typing import cast

from tinydnn import ops
from tinydnn.backend import Array, array_module
from tinydnn.errors import InputError
from tinydnn.explain.feature_map import contains_relu
from tinydnn.explain.score import score_gradient
from tinydnn.layers import Layer, ReLU, Sequential
from tinydnn.layers.layer import Backward


class GuidedReLU(Layer):
    """ReLU that lets positive gradients pass only.

        z  = max(0, x)
        dx = dz where x > 0 and dz > 0, else 0

    It is not the gradient of z: that ignores the sign of dz.
    """

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x, z: any shape."""
        z, backward = ops.relu(x)
        return z, lambda dz: array_module(dz).maximum(backward(dz), 0)


def guided_backprop(model: Sequential, x: Array, classes: Array) -> Array:
    """The gradient of the score by the image, with `GuidedReLU` in place of every `ReLU`.

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
    """The layer with `GuidedReLU` in place of every `ReLU` in it; it shares all parameters and changes nothing.

    `Sequential` fuses layers of the exact types it knows, so these run one by one.
    """
    if isinstance(layer, ReLU):
        return GuidedReLU()
    if not contains_relu(layer):
        return layer
    twin = copy(layer)
    for name, member in vars(layer).items():
        if isinstance(member, Layer):
            setattr(twin, name, guided(member))
        elif isinstance(member, tuple) and any(isinstance(inner, Layer) for inner in member):
            setattr(twin, name, tuple(guided(inner) for inner in member))
    return twin
