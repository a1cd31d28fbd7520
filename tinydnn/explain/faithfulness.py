"""Deletion and insertion: whether the pixels that a map calls relevant are those that the network uses."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module
from tinydnn.explain.image_filters import blur
from tinydnn.explain.score import scores
from tinydnn.layers import Sequential
from tinydnn.training.evaluation import EVALUATION_BATCH

STEPS = 16
BLUR = 5 / 224  # σ, of the longer side of the image


def deletion_curve(model: Sequential, x: Array, classes: Array, maps: Array, *, steps: int = STEPS) -> Array:
    """The probability of the class while the most relevant pixels are removed, (N, steps + 1).

        c[n,t] = softmax(model(x[n] with the round(t·P/steps) most relevant of its P pixels set to 0))[classes[n]]

    0 is the mean of a normalised image. A map that is faithful makes the curve fall early: the smaller the area below
    it, the better. Pixels of equal relevance are removed in reading order.

    x: (N, C, H, W). classes: (N,) integers. maps: (N, H, W).

    Source: Petsiuk, Das and Saenko, RISE (2018), section 4.3, deletion.
    """
    return _curve(model, classes, maps, steps, start=x, end=array_module(x).zeros_like(x))


def insertion_curve(model: Sequential, x: Array, classes: Array, maps: Array, *, steps: int = STEPS) -> Array:
    """The probability of the class while the most relevant pixels are inserted into a blurred image, (N, steps + 1).

    As `deletion_curve`, from the blurred image to the image: the larger the area below the curve, the better. A blurred
    image lacks detail, but has no sharp edges that a half-empty image would have. Its σ is 5/224 of the longer side.

    Source: Petsiuk, Das and Saenko, RISE (2018), section 4.3, insertion.
    """
    return _curve(model, classes, maps, steps, start=blur(x, BLUR * max(x.shape[2:])), end=x)


def area_under_curve(curves: Array) -> Array:
    """The area below each curve over the share of pixels from 0 to 1, by the trapezoid rule, (N,).

        z[n] = 1/steps · (c[n,0]/2 + c[n,1] + … + c[n,steps−1] + c[n,steps]/2)

    curves: (N, steps + 1).
    """
    return (curves.sum(axis=1) - (curves[:, 0] + curves[:, -1]) / 2) / (curves.shape[1] - 1)


def _curve(model: Sequential, classes: Array, maps: Array, steps: int, *, start: Array, end: Array) -> Array:
    xp = array_module(start)
    curves = xp.empty((len(maps), steps + 1))
    changed = np.rint(np.linspace(0, maps[0].size, steps + 1)).astype(int).tolist()  # pixels at each step
    for first in range(0, len(maps), EVALUATION_BATCH):
        batch = slice(first, first + EVALUATION_BATCH)
        ranks = _ranks(maps[batch])[:, None]
        for t, pixels in enumerate(changed):
            images = xp.where(ranks < pixels, end[batch], start[batch])
            curves[batch, t] = scores(ops.softmax(model.predict(images)), classes[batch])
    return curves


def _ranks(maps: Array) -> Array:
    """The place of each pixel when they are sorted from the most relevant one, from 0, (N, H, W)."""
    xp = array_module(maps)
    order = xp.argsort(-maps.reshape(len(maps), -1), axis=1, kind="stable")
    return xp.argsort(order, axis=1).reshape(maps.shape)
