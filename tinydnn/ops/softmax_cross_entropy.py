"""Softmax and cross-entropy: the negative log probability of the labels."""

from tinydnn.backend import Array, array_module, device_of
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(logits: Array, labels: Array, *, label_smoothing: float = 0.0) -> None:
    name = "softmax_cross_entropy"
    checks.floats(name, logits=logits)
    checks.layout(name, "logits", logits, "N K")
    if getattr(getattr(labels, "dtype", None), "kind", "") not in ("i", "u"):
        found = getattr(labels, "dtype", type(labels).__name__)
        raise TypeError(f"{name}: labels: expected an array of integers, found {found}")
    checks.shape(name, "labels", labels, (len(logits),), f"for logits of shape {logits.shape}")
    if device_of(labels) != device_of(logits):
        raise TypeError(f"{name}: labels: expected an array on {device_of(logits)}, found one on {device_of(labels)}")
    # On a GPU, reading the values would synchronise in every step; there the dataset's own check must suffice.
    if device_of(labels) == "cpu" and (labels.min() < 0 or labels.max() >= logits.shape[1]):
        raise ValueError(f"{name}: labels: expected 0 to {logits.shape[1] - 1}, found {labels.min()} to {labels.max()}")
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"{name}: label_smoothing: expected 0 <= value < 1, found {label_smoothing}")


@operation(check=_check)
def softmax_cross_entropy(logits: Array, labels: Array, *, label_smoothing: float = 0.0) -> tuple[Array, Backward]:
    """The cross-entropy between the labels and the softmax of the logits, as the mean over the batch.

        p[n,k] = e^logits[n,k] / Σ_j e^logits[n,j]
        t[n,k] = (1 − ε) · [k = labels[n]] + ε/K                  ε = label_smoothing
        L      = −1/N · Σ_{n,k} t[n,k] · log p[n,k]
        dlogits[n,k] = dL · (p[n,k] − t[n,k]) / N

    The largest logit of each row is subtracted first, which leaves p unchanged and prevents overflow.

    logits: (N, K). labels: (N,) integers in 0 … K−1. L: a scalar array. `backward(dloss=1.0)` returns dlogits.

    Source: Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs (1990); Goodfellow et
    al., Deep Learning, section 6.2.2.3; label smoothing: Szegedy et al., Rethinking the Inception Architecture,
    section 7.
    """
    xp = array_module(logits)
    count, classes = logits.shape
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))
    target = xp.full_like(logits, label_smoothing / classes)
    target[xp.arange(count), labels] += 1 - label_smoothing
    loss = -(target * log_p).sum() / count

    def backward(dloss: float = 1.0) -> Array:
        return (xp.exp(log_p) - target) * (float(dloss) / count)

    return loss, backward


def softmax(logits: Array) -> Array:
    """The probabilities p of `softmax_cross_entropy`, over axis 1: for predictions, which need no gradient.

    logits, p: (N, K), or (N, K, H, W) for a region map.
    """
    xp = array_module(logits)
    exponentials = xp.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
