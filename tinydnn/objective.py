"""What a training step makes smaller: the cross-entropy of slices and, in a network that tells them apart, regions."""

from collections.abc import Callable
from typing import NamedTuple

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.data.regions import region_targets
from tinydnn.layers import RegionVote, Sequential

SLICES = 0.5  # how much the loss of slices counts beside that of regions


class Loss(NamedTuple):
    """The logits (N, K), the cross-entropy of the slices, all that is made smaller, and what sets the gradients."""

    logits: Array
    of_slices: Array
    total: Array
    backward: Callable[[], object]


def learns_regions(model: Sequential) -> bool:
    """Whether the network says of each region what it shows, so that it learns from the masks of tumours too."""
    return isinstance(model.layers[-1], RegionVote)


def slice_loss(model: Sequential, x: Array, y: Array, *, label_smoothing: float = 0.0) -> Loss:
    """Forward pass and loss of a batch: pictures x (N, C, H, W), labels y (N,)."""
    logits, backward = model(x, training=True)
    loss, loss_backward = ops.softmax_cross_entropy(logits, y, label_smoothing=label_smoothing)
    return Loss(logits, loss, loss, lambda: backward(loss_backward(), need_dx=False))


def region_loss(model: Sequential, x: Array, y: Array, masks: Array, *, label_smoothing: float = 0.0) -> Loss:
    """The same for a network that ends with a `RegionVote`, and masks (N, H, W) of the tumours.

        L = L_regions + 1/2 · L_slices

    The masks teach where to look. A finished network gets none.
    """
    body, vote = Sequential(*model.layers[:-1]), model.layers[-1]
    m, backward = body(x, training=True)
    logits, vote_backward = vote(m, training=True)
    targets, weights = region_targets(masks, y, m.shape[2:])
    of_regions, regions_backward = ops.region_cross_entropy(m, targets, weights.astype(m.dtype))
    of_slices, slices_backward = ops.softmax_cross_entropy(logits, y, label_smoothing=label_smoothing)

    def both() -> None:
        backward(regions_backward() + vote_backward(slices_backward(SLICES)), need_dx=False)

    return Loss(logits, of_slices, of_regions + of_slices * m.dtype.type(SLICES), both)
