"""The number that an explanation is about: the score of a class, and its gradients."""

from collections.abc import Iterator
from contextlib import contextmanager

from tinydnn.backend import Array, array_module
from tinydnn.layers import Layer, Sequential


def score_gradient(model: Sequential, x: Array, classes: Array) -> Array:
    """The gradient of the score by the image, ∂s[n] / ∂x[n], (N, C, H, W).

        s[n] = z[n, classes[n]]        the logit of the class that is explained

    The model runs in evaluation mode, in which the images of a batch do not influence each other, so the gradient of
    Σ_n s[n] holds those of all images. x: (N, C, H, W), normalised. classes: (N,) integers.
    """
    with keep_gradients(model):
        logits, backward = model(x)
        return backward(one_hot(classes, logits))


def scores(logits: Array, classes: Array) -> Array:
    """s[n] = logits[n, classes[n]], (N,)."""
    return logits[array_module(logits).arange(len(logits)), classes]


def one_hot(classes: Array, logits: Array) -> Array:
    """∂(Σ_n s[n]) / ∂logits, (N, K): 1 at the class of each image, else 0."""
    dz = array_module(logits).zeros_like(logits)
    dz[array_module(logits).arange(len(logits)), classes] = 1
    return dz


@contextmanager
def keep_gradients(model: Layer) -> Iterator[None]:
    """Restore the gradients of the parameters afterwards, which every backward pass sets."""
    kept = [(parameter, parameter.grad) for parameter in model.parameters().values()]
    try:
        yield
    finally:
        for parameter, grad in kept:
            parameter.grad = grad
