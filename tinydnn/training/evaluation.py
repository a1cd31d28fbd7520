"""What a model makes of slices whose labels are known."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, to_device
from tinydnn.data.dataset import Dataset
from tinydnn.layers import Sequential
from tinydnn.training import views as prediction
from tinydnn.training.loss import expecting

EVALUATION_BATCH = 32  # slices


@dataclass(frozen=True)
class Evaluation:
    """What a model makes of slices whose labels are known."""

    loss: float
    labels: Array  # (N,)
    probabilities: Array  # (N, K)

    @property
    def predictions(self) -> Array:
        """The most probable class of each slice, (N,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def accuracy(self) -> float:
        """The share of slices whose most probable class is the right one."""
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
    """Send the slices of `indices` through the model in evaluation mode, a few at a time; `views` of each.

    The loss is that of the training: with `log_prior` (`tinydnn.training.loss`) it is of logits to which that is added.
    The probabilities are of the logits as they are. `load` brings slices from where they lie already, as `load_batch`
    does from the dataset.
    """
    losses, probabilities, labels = [], [], []
    with np.errstate(all="ignore"):  # what overflows shows in the loss
        for start in range(0, len(indices), EVALUATION_BATCH):
            some = indices[start : start + EVALUATION_BATCH]
            x, y = load_batch(dataset, some, normalise, device) if load is None else load(some)
            logits = prediction.logits(model, x, views)
            losses.append(float(ops.softmax_cross_entropy(expecting(logits, log_prior), y)[0]) * len(y))
            probabilities.append(to_device(ops.softmax(logits), "cpu"))
            labels.append(to_device(y, "cpu"))
    return Evaluation(sum(losses) / len(indices), np.concatenate(labels), np.concatenate(probabilities))


def load_batch(
    dataset: Dataset, indices: Array, normalise: Callable[[Array], Array], device: str
) -> tuple[Array, Array]:
    """Normalised pictures (B, C, H, W) float32 and their labels (B,) on the device."""
    return normalise(to_device(dataset.read(indices), device)), to_device(dataset.labels[indices], device)
