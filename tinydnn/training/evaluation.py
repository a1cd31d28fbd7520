"""Evaluation of a model on labelled slices."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, to_device
from tinydnn.data.dataset import Dataset
from tinydnn.layers import Sequential
from tinydnn.training.loss import image_loss
from tinydnn.training.views import mean_logits

EVALUATION_BATCH = 32  # slices


@dataclass(frozen=True)
class Evaluation:
    """The loss of a model on labelled slices, their labels (N,) and the predicted probabilities (N, K)."""

    loss: float
    labels: Array
    probabilities: Array

    @property
    def predictions(self) -> Array:
        """The most probable class of each slice, (N,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def accuracy(self) -> float:
        """The share of correct predictions."""
        return float((self.predictions == self.labels).mean())


def evaluate(
    model: Sequential,
    dataset: Dataset,
    indices: Array,
    normalise: Callable[[Array], Array],
    *,
    device: str = "cpu",
    views: int = 1,
    log_prior: Array | None = None,
    load: Callable[[Array], tuple[Array, Array]] | None = None,
) -> Evaluation:
    """Evaluate a model on the slices `indices`, in batches, averaging the logits over `views` views.

    The loss includes the log prior, as in training; the probabilities do not. load: replaces `load_batch` where the
    slices are on the device already.
    """
    losses, probabilities, labels = [], [], []
    with np.errstate(all="ignore"):  # overflow shows in the loss
        for batch in in_batches(indices):
            x, y = load_batch(dataset, batch, normalise, device) if load is None else load(batch)
            logits = mean_logits(model, x, views)
            losses.append(float(image_loss(logits, y, log_prior=log_prior)[0].total) * len(y))
            probabilities.append(to_device(ops.softmax(logits), "cpu"))
            labels.append(to_device(y, "cpu"))
    return Evaluation(sum(losses) / len(indices), np.concatenate(labels), np.concatenate(probabilities))


def in_batches(indices: Array) -> list[Array]:
    """The indices, as many at a time as an evaluation holds in memory."""
    return [indices[start : start + EVALUATION_BATCH] for start in range(0, len(indices), EVALUATION_BATCH)]


def load_batch(
    dataset: Dataset, indices: Array, normalise: Callable[[Array], Array], device: str
) -> tuple[Array, Array]:
    """Normalised images (B, C, H, W) float32 and labels (B,) on the device."""
    return normalise(to_device(dataset.read(indices), device)), to_device(dataset.labels[indices], device)
