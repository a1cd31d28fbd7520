"""Gradient × input: what each pixel contributes to the score of a linear model."""

from tinydnn.backend import Array
from tinydnn.explain.score import score_gradient
from tinydnn.layers import Sequential


def gradient_x_input(model: Sequential, x: Array, classes: Array) -> Array:
    """The gradient of the score times the image, a = x · ∂s/∂x.

    For a linear score without bias, a sums to s. x, a: (N, C, H, W). classes: (N,) integers.

    Source: Shrikumar et al., Not Just a Black Box (2016), section 3.1.
    """
    return x * score_gradient(model, x, classes)
