"""Confusion matrix, precision, recall, F1, accuracy with its interval.

What comes out of `classification_report` can be written as JSON: plain Python numbers, and None (never NaN) where a
figure is not defined.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def confusion_matrix(labels: npt.ArrayLike, predictions: npt.ArrayLike, classes: int) -> npt.NDArray[np.int64]:
    """Count how often each true class was predicted as each class.

    M[i, j] = number of n with labels[n] = i and predictions[n] = j

    `labels` and `predictions` are integers in 0..classes-1, shape (N,). The result has shape
    (classes, classes): rows are the true class, columns the predicted one.

    Raises TypeError for values that are not integers, ValueError for a value out of range, an array that
    is not one-dimensional or arrays of different lengths.
    """
    true = _class_numbers("labels", labels, classes)
    predicted = _class_numbers("predictions", predictions, classes)
    if len(true) != len(predicted):
        raise ValueError(f"predictions: expected {len(true)} of them, one per label, found {len(predicted)}")
    counts = np.bincount(true * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def wilson_interval(correct: int, total: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion, by default the 95 % one.

    With p = correct/total and n = total:

        (p + z²/2n ± z·√(p·(1-p)/n + z²/4n²)) / (1 + z²/n)

    It stays within [0, 1] and makes sense for 0 or n correct, where the textbook p ± z·√(p·(1-p)/n)
    shrinks to nothing. `z` is the standard normal quantile of (1 + confidence)/2.

    It takes the n answers as independent. Slices of one patient are not, so for slices it is the narrowest
    interval that can be justified.

    Raises ValueError unless 0 <= correct <= total and total > 0.
    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212.
    """
    if total <= 0 or not 0 <= correct <= total:
        raise ValueError(f"correct, total: expected 0 <= correct <= total, total > 0, found {correct}, {total}")
    p, shrink = correct / total, z * z / total
    centre = p + shrink / 2
    half = math.sqrt(p * (1 - p) * shrink + shrink * shrink / 4)
    # Rounding alone may carry a bound past 0 or 1.
    return max(0.0, (centre - half) / (1 + shrink)), min(1.0, (centre + half) / (1 + shrink))


def classification_report(matrix: npt.ArrayLike, class_names: Sequence[str]) -> dict[str, Any]:
    """Return the figures that follow from a confusion matrix M, ready for JSON.

        accuracy     = Σ_k M[k, k] / Σ_ij M[i, j]
        precision[k] = M[k, k] / Σ_i M[i, k]        of those called k, the share that is k
        recall[k]    = M[k, k] / Σ_j M[k, j]        of those that are k, the share called k
        f1[k]        = 2·M[k, k] / (Σ_i M[i, k] + Σ_j M[k, j])        their harmonic mean
        support[k]   = Σ_j M[k, j]

    Where a denominator is 0 the figure is None: precision of a class never predicted, recall of a class
    that does not occur, f1 of a class with neither. A class that occurs and is never hit has f1 = 0.

    `macro` is the plain mean over the classes that occur. Among these a precision of None counts as 0, so
    that a model which ignores a class does not gain by it.

    Keys: accuracy, accuracy_interval_95 [low, high] (Wilson), slices (the total), per_class {name:
    {precision, recall, f1, support}}, macro {precision, recall, f1}, confusion_matrix (nested lists).

    Raises ValueError for a matrix that is not square, holds no counts, or does not fit `class_names`, and
    for names that are not distinct.
    """
    counts = np.asarray(matrix)
    names = list(class_names)
    if counts.shape != (len(names), len(names)):
        raise ValueError(
            f"matrix: expected shape {(len(names), len(names))} for {len(names)} class names, found {counts.shape}"
        )
    if len(set(names)) != len(names):
        raise ValueError(f"class_names: expected distinct names, found {names}")
    if not np.issubdtype(counts.dtype, np.integer) or (counts < 0).any() or counts.sum() == 0:
        raise ValueError("matrix: expected counts, integers >= 0 and not all 0")
    correct, total = int(counts.trace()), int(counts.sum())
    hits, support, predicted = (x.tolist() for x in (counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)))
    per_class = {
        name: {
            "precision": _ratio(hits[k], predicted[k]),
            "recall": _ratio(hits[k], support[k]),
            "f1": _ratio(2 * hits[k], predicted[k] + support[k]),
            "support": support[k],
        }
        for k, name in enumerate(names)
    }
    present = [figures for figures in per_class.values() if figures["support"]]
    macro = {
        figure: math.fsum(figures[figure] or 0.0 for figures in present) / len(present)
        for figure in ("precision", "recall", "f1")
    }
    return {
        "accuracy": correct / total,
        "accuracy_interval_95": list(wilson_interval(correct, total)),
        "slices": total,
        "per_class": per_class,
        "macro": macro,
        "confusion_matrix": counts.tolist(),
    }


def _ratio(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None


def _class_numbers(argument: str, values: npt.ArrayLike, classes: int) -> npt.NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{argument}: expected shape (N,), found {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{argument}: expected integers, found {array.dtype}")
    wrong = np.flatnonzero((array < 0) | (array >= classes))
    if wrong.size:
        raise ValueError(f"{argument}: expected classes 0..{classes - 1}, found {array[wrong[0]]} at index {wrong[0]}")
    return array.astype(np.int64)
