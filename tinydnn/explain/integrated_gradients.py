"""Integrated gradients: contributions of the pixels that sum to the change of the score."""

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.errors import InputError
from tinydnn.explain.copies import in_groups, score_gradients
from tinydnn.explain.score import scores
from tinydnn.layers import Sequential


def integrated_gradients(
    model: Sequential, x: Array, classes: Array, *, steps: int = 32, baseline: Array | float = 0.0
) -> Array:
    """The gradient of the score, integrated along the straight line from a baseline x' to the image.

        a[n] = (x[n] − x'[n]) · ∫₀¹ ∂s/∂x (x'[n] + t · (x[n] − x'[n])) dt
             ≈ (x[n] − x'[n]) · Σ_m w[m] · ∂s/∂x (x'[n] + t[m] · (x[n] − x'[n]))

    The points t and weights w are those of the Gauss-Legendre rule on [0, 1]; the sum is in the order of the points.
    Completeness: Σ a[n] = s(x[n]) − s(x'[n]) but for the error of the rule, which `completeness_error` returns.

    x, a: (N, C, H, W). classes: (N,) integers. steps: the number of points. baseline: an image without evidence, any
    array that broadcasts to the shape of x; 0 is the mean of normalised training images. Raises `InputError` for less
    than one step, or a baseline of another shape.

    Source: Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks (2017), equation 1 and proposition 1;
    the rule: Press et al., Numerical Recipes (2007), section 4.6.
    """
    if steps < 1:
        raise InputError(f"integrated-gradients: steps: expected at least 1, found {steps}")
    start = _baseline(x, baseline)
    difference, total = x - start, array_module(x).zeros_like(x)
    points, weights = np.polynomial.legendre.leggauss(steps)
    rule = zip(((1 + points) / 2).tolist(), (weights / 2).tolist(), strict=True)
    for group in in_groups(rule, len(x)):
        gradients = score_gradients(model, [start + t * difference for t, _ in group], classes)
        for (_, weight), gradient in zip(group, gradients, strict=True):
            total += weight * gradient
    return difference * total


def completeness_error(
    model: Sequential, x: Array, classes: Array, attributions: Array, *, baseline: Array | float = 0.0
) -> Array:
    """By how much integrated gradients miss the change of the score: Σ a[n] − (s(x[n]) − s(x'[n])), (N,).

    attributions: those of `integrated_gradients` with the same x, classes and baseline.
    """
    change = scores(model.predict(x), classes) - scores(model.predict(_baseline(x, baseline)), classes)
    return attributions.sum(axis=(1, 2, 3)) - change


def _baseline(x: Array, baseline: Array | float) -> Array:
    """The baseline in the shape and dtype of x."""
    shape, start = np.shape(baseline), array_module(x).empty_like(x)
    fits = (found in (1, size) for found, size in zip(shape[::-1], x.shape[::-1], strict=False))
    if len(shape) > x.ndim or not all(fits):
        raise InputError(f"integrated-gradients: baseline: expected a shape that fits {x.shape}, found {shape}")
    start[...] = baseline
    return start
