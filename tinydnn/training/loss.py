"""What a training step makes smaller: the cross-entropy of slices and, in a network that tells them apart, regions.

Where one class has more slices than another, a network learns to expect it, and says it when in doubt. With
`log_prior` it need not learn that: the logarithm of how frequent each class is is added to the logits in training, and
left out afterwards.

    L = cross-entropy(z + log π, y)        with π[k] = K · n[k] / N, for n[k] of N slices

What z alone then says is for classes of equal frequency.

Source: Menon et al., Long-tail learning via logit adjustment, equation 10.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module
from tinydnn.layers import RegionVote, Sequential
from tinydnn.training.region_targets import region_targets

SLICES = 0.5  # how much the loss of slices counts beside that of regions


class Loss(NamedTuple):
    """What the network says, its loss, and the way back.

    logits: z, (N, K), without the prior. of_slices: the cross-entropy of the slices, with it. total: all that is made
    smaller. backward: sets the gradients.
    """

    logits: Array
    of_slices: Array
    total: Array
    backward: Callable[[], object]


def learns_regions(model: Sequential) -> bool:
    """Whether the network says of each region what it shows, so that it learns from the masks of tumours too."""
    return isinstance(model.layers[-1], RegionVote)


def frequencies(labels: np.ndarray, classes: int) -> np.ndarray:
    """The log π of every class, (K,) float32, from the labels (N,) of the training slices; no slice counts as one."""
    counts = np.maximum(np.bincount(labels, minlength=classes), 1)
    return np.log(classes * counts / len(labels)).astype(np.float32)


def slice_loss(
    model: Sequential, x: Array, y: Array, *, label_smoothing: float = 0.0, log_prior: Array | None = None
) -> Loss:
    """Forward pass and loss of a batch: pictures x (N, C, H, W), labels y (N,)."""
    logits, backward = model(x, training=True)
    expected = expecting(logits, log_prior)
    loss, loss_backward = ops.softmax_cross_entropy(expected, y, label_smoothing=label_smoothing)
    return Loss(logits, loss, loss, lambda: backward(loss_backward(), need_dx=False))


def region_loss(
    model: Sequential,
    x: Array,
    y: Array,
    masks: Array,
    *,
    label_smoothing: float = 0.0,
    log_prior: Array | None = None,
) -> Loss:
    """The same for a network that ends with a `RegionVote`, and masks (N, H, W) of the tumours.

        L = L_regions + 1/2 · L_slices

    The masks teach where to look. A finished network gets none.
    """
    body, vote = Sequential(*model.layers[:-1]), model.layers[-1]
    m, backward = body(x, training=True)
    logits, vote_backward = vote(m, training=True)
    targets, weights = region_targets(masks, y, m.shape[2:])
    of_regions, regions_backward = ops.region_cross_entropy(expecting(m, log_prior), targets, weights.astype(m.dtype))
    of_slices, slices_backward = ops.softmax_cross_entropy(
        expecting(logits, log_prior), y, label_smoothing=label_smoothing
    )

    def both() -> None:
        backward(regions_backward() + vote_backward(slices_backward(SLICES)), need_dx=False)

    return Loss(logits, of_slices, of_regions + of_slices * m.dtype.type(SLICES), both)


def expecting(z: Array, log_prior: Array | None) -> Array:
    """z[n,k,…] + log π[k], of the last K channels; before them may be one of background, which stays."""
    if log_prior is None:
        return z
    added = array_module(z).zeros(z.shape[1], z.dtype)
    added[-len(log_prior) :] = log_prior
    return z + added.reshape(-1, *[1] * (z.ndim - 2))
