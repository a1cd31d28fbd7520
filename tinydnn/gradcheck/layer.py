"""`gradcheck_layer`: check the gradients of a layer or a whole model."""

from copy import deepcopy

import numpy as np

from tinydnn.backend import Array
from tinydnn.gradcheck.check import gradcheck
from tinydnn.gradcheck.report import Report
from tinydnn.layers import Layer
from tinydnn.ops import Backward


def gradcheck_layer(
    layer: Layer, x: Array, *, training: bool = True, name: str | None = None, seed: int = 0, tolerance: float = 1e-7
) -> Report:
    """Check the gradients of x and of every parameter, as `gradcheck` does for the arguments of a function.

    This checks a copy in float64; the layer itself does not change. Random layers (dropout) draw the same values in
    every evaluation.
    """
    copy = deepcopy(layer).astype(np.float64)
    parameters = copy.parameters()
    random_state = copy.random_state()

    def function(x: Array, *values: Array) -> tuple[Array, Backward]:
        copy.set_random_state(random_state)
        for parameter, value in zip(parameters.values(), values, strict=True):
            parameter.value = value
        z, layer_backward = copy(x, training=training)

        def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, ...]:
            dx = layer_backward(dz, need_dx=need_dx)
            return dx, *(parameter.grad for parameter in parameters.values())

        return z, backward if parameters else layer_backward

    values = [parameter.value for parameter in parameters.values()]
    name = name or type(layer).__name__
    return gradcheck(function, x, *values, names=("x", *parameters), name=name, seed=seed, tolerance=tolerance)
