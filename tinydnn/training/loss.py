"""The training loss: cross-entropy of the images and, for a region network, of the regions too.

A network trained on unequal class frequencies prefers the frequent classes when in doubt. Logit adjustment removes this
bias: the log prior of the classes is added to the logits in training and left out afterwards.

    L = cross-entropy(z + log π, y)        with π[k] = K · n[k] / N, for n[k] of N training slices

The logits z alone then assume equal class frequencies.

Source: Menon et al., Long-tail learning via logit adjustment, equation 10.
"""

from typing import NamedTuple

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module
from tinydnn.layers import RegionVote, Sequential
from tinydnn.ops import Backward
from tinydnn.training.region_targets import region_targets

IMAGE_WEIGHT = 0.5  # of the image loss; the region loss has weight 1


class Loss(NamedTuple):
    """The loss of a batch.

    logits: z, (N, K), without the log prior. image_loss: the cross-entropy of the images, with the log prior. total:
    the minimised sum. Both losses are scalar arrays.
    """

    logits: Array
    image_loss: Array
    total: Array


def has_region_head(model: Sequential) -> bool:
    """Whether the network classifies regions, so that it can learn from tumour masks."""
    return isinstance(model.layers[-1], RegionVote)


def log_class_prior(labels: np.ndarray, classes: int) -> np.ndarray:
    """Log π of every class, (K,) float32, from the labels (N,) of the training slices; an absent class counts as 1."""
    counts = np.maximum(np.bincount(labels, minlength=classes), 1)
    return np.log(classes * counts / len(labels)).astype(np.float32)


def image_loss(
    logits: Array, y: Array, *, label_smoothing: float = 0.0, log_prior: Array | None = None
) -> tuple[Loss, Backward]:
    """The cross-entropy of logits (N, K) and labels y (N,); `backward()` returns dlogits."""
    loss, backward = ops.softmax_cross_entropy(add_log_prior(logits, log_prior), y, label_smoothing=label_smoothing)
    return Loss(logits, loss, loss), backward


def region_loss(
    m: Array, y: Array, masks: Array, *, label_smoothing: float = 0.0, log_prior: Array | None = None
) -> tuple[Loss, Backward]:
    """The loss of a region map m (N, K+1, h, w), labels y (N,) and tumour masks (N, H, W); `backward()` returns dm.

        L = L_regions + 1/2 · L_image

    L_image is the loss of the logits region_vote(m). The masks are needed in training only.
    """
    logits, vote_backward = ops.region_vote(m)
    image, image_backward = image_loss(logits, y, label_smoothing=label_smoothing, log_prior=log_prior)
    targets, weights = region_targets(masks, y, m.shape[2:])
    regions, regions_backward = ops.region_cross_entropy(add_log_prior(m, log_prior), targets, weights.astype(m.dtype))

    def backward() -> Array:
        return regions_backward() + vote_backward(image_backward(IMAGE_WEIGHT))

    return Loss(logits, image.total, regions + image.total * m.dtype.type(IMAGE_WEIGHT)), backward


def add_log_prior(z: Array, log_prior: Array | None) -> Array:
    """z[n,k] or z[n,k,i,j] + log π[k] for the last K channels; a background channel before them is unchanged."""
    if log_prior is None:
        return z
    shift = array_module(z).zeros(z.shape[1], z.dtype)
    shift[-len(log_prior) :] = log_prior
    return z + (shift if z.ndim == 2 else shift[:, None, None])
