"""SmoothGrad: the mean of the gradients at noisy copies of the image."""

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.errors import InputError
from tinydnn.explain.copies import in_groups, score_gradients
from tinydnn.layers import Sequential


def smooth_grad(
    model: Sequential, x: Array, classes: Array, *, samples: int = 50, noise: float = 0.15, seed: int = 0
) -> Array:
    """The gradient of the score, averaged over M noisy copies of each image.

        σ[n] = noise · (max x[n] − min x[n])
        a[n] = 1/M · Σ_m ∂s/∂x (x[n] + σ[n] · ε[m])          ε[m]: (C, H, W), standard normal, from `seed`

    The gradient of a network with ReLU fluctuates from pixel to pixel; the mean keeps what neighbouring inputs share.
    ε[m] is the same for every image, so an explanation does not depend on the other images of the batch. It is drawn on
    the CPU whatever the device, so that a seed gives the same noise everywhere.

    x, a: (N, C, H, W). classes: (N,) integers. samples: M. noise: a share of the range of each image. Raises
    `InputError` for less than one sample, or for noise that is not positive.

    Source: Smilkov et al., SmoothGrad (2017), section 3: M = 50, and noise of 10 to 20 %.
    """
    if samples < 1:
        raise InputError(f"smooth-grad: samples: expected at least 1, found {samples}")
    if not noise > 0:
        raise InputError(f"smooth-grad: noise: expected a positive share of the image's range, found {noise}")
    xp, rng = array_module(x), np.random.default_rng(seed)
    sigma = noise * (x.max(axis=(1, 2, 3), keepdims=True) - x.min(axis=(1, 2, 3), keepdims=True))
    epsilons = (xp.asarray(rng.standard_normal(x.shape[1:]).astype(x.dtype)) for _ in range(samples))
    total = xp.zeros_like(x)
    for group in in_groups(epsilons, len(x)):
        for gradient in score_gradients(model, [x + sigma * epsilon for epsilon in group], classes):
            total += gradient
    return total / samples
