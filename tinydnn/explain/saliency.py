"""Saliency: how much each pixel changes the score."""

from tinydnn.backend import Array
from tinydnn.explain.score import score_gradient
from tinydnn.layers import Sequential


def saliency(model: Sequential, x: Array, classes: Array) -> Array:
    """The gradient of the score by the image, a[n,c,i,j] = ∂s[n] / ∂x[n,c,i,j].

    Its magnitude says how strongly a small change of a pixel changes the score s[n] = z[n, classes[n]].

    x, a: (N, C, H, W). classes: (N,) integers.

    Source: Simonyan, Vedaldi and Zisserman, Deep Inside Convolutional Networks (2014), section 3.
    """
    return score_gradient(model, x, classes)
