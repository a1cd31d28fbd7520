"""Activation maximisation: the image that a class, or a channel of a layer, responds to most."""

from dataclasses import dataclass

import numpy as np

from tinydnn.backend import Array, array_module, to_device
from tinydnn.errors import InputError
from tinydnn.explain.score import keep_gradients
from tinydnn.layers import Sequential

STEP = 0.02  # η, in units of the pixel range
DECAY = 0.01  # λ
SMOOTHNESS = 0.05  # τ
JITTER = 32  # the image moves by up to its side over this


@dataclass(frozen=True, eq=False)
class Maximised:
    """An image p (H, W) float32 from 0, black, to 1, white; and its scores before each step and after the last."""

    image: np.ndarray
    scores: tuple[float, ...]


def maximise(
    model: Sequential, index: int, *, black: Array, white: Array, steps: int = 256, seed: int = 0
) -> Maximised:
    """Maximise the score of output `index` over grey images, by gradient ascent from grey noise.

        x[c]  = black[c] + (white[c] − black[c]) · p                          the image as the network takes it
        s(x)  = z[index], or for feature maps z (1, K, H', W') the mean of channel `index` over its positions
        g     = ∂s(shift_t(x)) / ∂p                                           shift_t: by random whole pixels, around
        R(p)  = λ/2 · Σ (p − 1/2)² + τ/2 · Σ ((p[i+1,j] − p[i,j])² + (p[i,j+1] − p[i,j])²)
        p    ← clip(p + η · g / rms(g) − ∂R/∂p, 0, 1)

    model: ends with the output, as `layers_up_to` cuts it. black, white: (C,), the network's input for a black and a
    white pixel. The norm penalty λ and the total variation τ keep the image from filling with contrast and noise,
    which raise the score but show nothing; the random shift keeps it from settling on the grid of the strides.

    The same seed gives the same image. Raises `InputError` if there is no such output, or the model ends with tokens,
    whose axis 1 is no channel.

    Source: Erhan et al., Visualizing Higher-Layer Features of a Deep Network (2009), section 3; Simonyan, Vedaldi and
    Zisserman, Deep Inside Convolutional Networks (2014), section 2; Olah, Mordvintsev and Schubert, Feature
    Visualization (2017), "The Enemy of Feature Visualization".
    """
    if model.input_shape is None:
        raise InputError("model: expected an input shape (C, H, W), found none")
    xp, rng = array_module(black), np.random.default_rng(seed)
    height, width = model.input_shape[1:]
    low, span = black[:, None, None], (white - black)[:, None, None]
    p = xp.asarray(0.5 + 0.05 * rng.standard_normal((height, width)), black.dtype)
    limit = max(min(height, width) // JITTER, 1)
    scores = []
    for shift in rng.integers(-limit, limit + 1, (steps, 2)).tolist():
        s, dx = _score_and_gradient(model, xp.roll(low + span * p, shift, axis=(1, 2)), index)
        g = (xp.roll(dx, (-shift[0], -shift[1]), axis=(1, 2)) * span).sum(axis=0)
        scores.append(s)
        rms = float(xp.sqrt((g**2).mean()))
        p = xp.clip(p + (STEP / rms if rms else 0.0) * g - _penalty_gradient(p), 0, 1)
    scores.append(_score_and_gradient(model, low + span * p, index)[0])
    return Maximised(to_device(p, "cpu"), tuple(scores))


def _score_and_gradient(model: Sequential, x: Array, index: int) -> tuple[float, Array]:
    """The score s, and ∂s/∂x, (C, H, W)."""
    with keep_gradients(model):
        z, backward = model(x[None])
        if z.ndim not in (2, 4):
            raise InputError(f"layer: expected an output (N, K) or (N, C, H, W), found one of shape {z.shape}")
        if not 0 <= index < z.shape[1]:
            raise InputError(f"channel: expected 0 to {z.shape[1] - 1}, found {index}")
        dz = array_module(z).zeros_like(z)
        dz[:, index] = 1 / z[0, index].size
        return float(z[0, index].mean()), backward(dz)[0]


def _penalty_gradient(p: Array) -> Array:
    """∂R/∂p, (H, W)."""
    xp = array_module(p)
    g = DECAY * (p - 0.5)
    for axis in (0, 1):
        d = SMOOTHNESS * xp.diff(p, axis=axis)
        ends = [(0, 0), (0, 0)]
        ends[axis] = (1, 1)
        g -= xp.diff(xp.pad(d, ends), axis=axis)
    return g
