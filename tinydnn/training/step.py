"""One training step: forward pass, loss, backward pass, update. Every training runs it, on a CPU and on a GPU."""

from collections.abc import Callable
from typing import NamedTuple

from tinydnn.backend import Array
from tinydnn.layers import Sequential
from tinydnn.training.loss import Loss, image_loss, region_loss


class StepResult(NamedTuple):
    """Scalar arrays computed before the update: the total loss, the image loss, the accuracy."""

    total_loss: Array
    image_loss: Array
    accuracy: Array


def step_result(loss: Loss, y: Array) -> StepResult:
    """The result of a step; the accuracy is the share of logits whose largest is that of the label."""
    return StepResult(loss.total, loss.image_loss, (loss.logits.argmax(axis=1) == y).mean())


def training_step(
    model: Sequential,
    update: Callable[[], None],
    x: Array,
    y: Array,
    masks: Array | None = None,
    *,
    label_smoothing: float = 0.0,
    log_prior: Array | None = None,
    check: Callable[[Array], None] = lambda total_loss: None,
    result: Callable[[Loss, Array], StepResult] = step_result,
) -> StepResult:
    """Train a model on one batch.

    update: `optimizer.step`; a captured GPU step passes `optimizer.apply`. x: images (N, C, H, W). y: labels (N,).
    masks: tumour masks (N, H, W), for a region network only. label_smoothing, log_prior: see `tinydnn.training.loss`.
    check: called with the total loss before the backward pass; what it raises leaves the weights unchanged. result:
    what is returned, from the loss and the labels; a captured GPU step has a kernel for it.
    """
    if masks is None:
        logits, backward = model(x, training=True)
        loss, loss_backward = image_loss(logits, y, label_smoothing=label_smoothing, log_prior=log_prior)
    else:
        body, _ = model.split_at(len(model.layers) - 1)  # without the RegionVote, which is part of the loss
        region_map, backward = body(x, training=True)
        loss, loss_backward = region_loss(region_map, y, masks, label_smoothing=label_smoothing, log_prior=log_prior)
    check(loss.total)
    backward(loss_backward(), need_dx=False)
    update()
    return result(loss, y)
