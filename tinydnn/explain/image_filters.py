"""Image filters on either device: Gaussian blur and edges."""

from importlib import import_module
from typing import Any

import numpy as np

from tinydnn.backend import Array, array_module


def blur(x: Array, sigma: float) -> Array:
    """Gaussian blur of each image and channel; beyond an edge the image is reflected. x, z: (N, C, H, W)."""
    return _ndimage(x).gaussian_filter(x, (0, 0, sigma, sigma), mode="reflect")


def edges(images: Array) -> Array:
    """The magnitude of Sobel's gradient, √(g_y² + g_x²); beyond an edge the image is reflected. Both (N, H, W)."""
    ndimage, xp = _ndimage(images), array_module(images)
    gradients = []
    for axis in (1, 2):
        across = ndimage.correlate1d(images, xp.array([-1.0, 0.0, 1.0]), axis=axis, mode="reflect")
        gradients.append(ndimage.correlate1d(across, xp.array([1.0, 2.0, 1.0]), axis=3 - axis, mode="reflect"))
    return xp.hypot(*gradients)


def _ndimage(x: Array) -> Any:
    return import_module("scipy.ndimage" if array_module(x) is np else "cupyx.scipy.ndimage")
