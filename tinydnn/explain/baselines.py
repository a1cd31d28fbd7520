"""Explanations that know nothing of the network: what a method must surpass before its score means anything.

Each is a `Method`, so that tables treat all alike; model and classes are ignored.
"""

from zlib import crc32

import numpy as np

from tinydnn.backend import Array, array_module, to_device
from tinydnn.explain.image_filters import edges
from tinydnn.explain.method import Method, unchanged
from tinydnn.layers import Sequential

SIGMA = 1 / 4  # of the sides of the image


def centre_gaussian(model: Sequential, x: Array, classes: Array) -> Array:
    """A Gaussian in the middle of the image, the same for every one: what position alone achieves.

        a[n,i,j] = exp(−(u² + v²) / (2·σ²))        u, v: from the middle, in sides of the image; σ = 1/4

    x: (N, C, H, W). a: (N, H, W).
    """
    xp = array_module(x)
    u, v = ((xp.arange(size, dtype=x.dtype) + 0.5) / size - 0.5 for size in x.shape[2:])
    a = xp.exp(-(u[:, None] ** 2 + v**2) / (2 * SIGMA**2))
    return xp.repeat(a[None], len(x), axis=0)


def edge_detector(model: Sequential, x: Array, classes: Array) -> Array:
    """The magnitude of Sobel's gradient of the image, the mean of its channels: what the picture alone achieves.

    Explanations may look convincing because they resemble it. x: (N, C, H, W). a: (N, H, W).

    Source: Adebayo et al., Sanity Checks for Saliency Maps (2018), section 5.1.
    """
    return edges(x.mean(axis=1))


def chance(model: Sequential, x: Array, classes: Array) -> Array:
    """Independent random numbers, uniform from 0 to 1.

    The generator of each image is seeded with its pixels, so neither its batch nor its place there matters.
    x: (N, C, H, W). a: (N, H, W).
    """
    xp = array_module(x)
    seeds = [crc32(image.tobytes()) for image in to_device(x, "cpu")]
    return xp.asarray(np.stack([np.random.default_rng(seed).random(x.shape[2:], np.float32) for seed in seeds]))


BASELINES = {
    baseline.name: baseline
    for baseline in (
        Method("centre-gaussian", "Centre Gaussian", centre_gaussian, unchanged),
        Method("edges", "Edge detector", edge_detector, unchanged),
        Method("chance", "Chance", chance, unchanged),
    )
}
