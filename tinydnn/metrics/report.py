"""Confusion matrix, accuracy with its Wilson interval, precision, recall and F1."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinydnn import html


def confusion_matrix(labels: npt.ArrayLike, predictions: npt.ArrayLike, classes: int) -> npt.NDArray[np.int64]:
    """Count the slices of each true class (row) and predicted class (column): (classes, classes).

        M[i, j] = #{n: labels[n] = i and predictions[n] = j}

    labels, predictions: (N,), integers in 0..classes-1.
    Raises TypeError for values that are not integers, ValueError for a value out of range, an array that is not
    one-dimensional or arrays of different lengths.
    """
    true = _classes("labels", labels, classes)
    predicted = _classes("predictions", predictions, classes)
    if len(true) != len(predicted):
        raise ValueError(f"predictions: expected {len(true)} of them, one per label, found {len(predicted)}")
    counts = np.bincount(true * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion.

        (p + z²/2n ± z·√(p·(1 − p)/n + z²/4n²)) / (1 + z²/n)          with p = correct/n, n = total

    z = 1.96 is the 97.5 % quantile of the standard normal distribution. The interval stays within [0, 1] and has a
    width for 0 or n correct, where p ± z·√(p·(1 − p)/n) has none. It assumes n independent trials. Slices of a patient
    are correlated, so for slices it is too narrow: a lower limit of the uncertainty.

    Raises ValueError unless 0 <= correct <= total and total > 0.
    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212.
    """
    if total <= 0 or not 0 <= correct <= total:
        raise ValueError(f"correct, total: expected 0 <= correct <= total, total > 0, found {correct}, {total}")
    from scipy.stats import binomtest

    low, high = binomtest(correct, total).proportion_ci(0.95, "wilson")
    return float(low), float(high)


class Report(dict[str, Any]):
    """The metrics of an evaluation by name, as JSON types; a notebook shows them as a table.

    The keys are those of `classification_report`, and more where the evaluation knows more.
    """

    def _repr_html_(self) -> str:
        rows = [(name, *_shares(row), str(row["support"])) for name, row in self["per_class"].items()]
        rows.append(("macro average", *_shares(self["macro"]), str(self["slices"])))
        low, high = self["accuracy_interval_95"]
        return html.table(
            ("class", "precision", "recall", "F1", "slices"), rows, columns="lrrrr", last_is_total=True
        ) + html.paragraph(
            f"Accuracy {self['accuracy']:.1%} on {self['slices']} {'synthetic ' * self.get('synthetic', False)}slices"
            f"{f' of {patients} patients' if (patients := self.get('patients')) else ''}, 95 % interval over "
            f"{self.get('interval_over', 'slices')} {low:.1%} to {high:.1%}."
        )


def classification_report(matrix: npt.ArrayLike, class_names: Sequence[str]) -> Report:
    """The metrics of a confusion matrix M (K, K), as JSON types.

        accuracy     = Σ_k M[k, k] / Σ_ij M[i, j]
        precision[k] = M[k, k] / Σ_i M[i, k]        of the predictions of k, the share that is correct
        recall[k]    = M[k, k] / Σ_j M[k, j]        of the slices of class k, the share predicted as k
        f1[k]        = 2·M[k, k] / (Σ_i M[i, k] + Σ_j M[k, j])        the harmonic mean of precision and recall
        support[k]   = Σ_j M[k, j]

    A metric whose denominator is 0 is None, never NaN: the precision of a class that is never predicted, the recall of
    a class that does not occur, the f1 of a class with neither. `macro` is the mean over the classes that occur; in it,
    a precision of None counts as 0, so that a model does not gain by ignoring a class.

    Keys: accuracy, accuracy_interval_95 [low, high] (Wilson), slices (the total), per_class {name: {precision, recall,
    f1, support}}, macro {precision, recall, f1}, confusion_matrix (nested lists).

    Raises ValueError for a matrix that is not square, holds no counts, or does not fit `class_names`, and for names
    that are not distinct.
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
    present = [metrics for metrics in per_class.values() if metrics["support"]]
    macro = {
        name: math.fsum(metrics[name] or 0.0 for metrics in present) / len(present)
        for name in ("precision", "recall", "f1")
    }
    return Report(
        accuracy=correct / total,
        accuracy_interval_95=list(wilson_interval(correct, total)),
        slices=total,
        per_class=per_class,
        macro=macro,
        confusion_matrix=counts.tolist(),
    )


def _shares(metrics: dict[str, float | None]) -> list[str]:
    return [
        "-" if share is None else f"{share:.1%}" for share in (metrics[key] for key in ("precision", "recall", "f1"))
    ]


def _ratio(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None


def _classes(argument: str, values: npt.ArrayLike, classes: int) -> npt.NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{argument}: expected shape (N,), found {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{argument}: expected integers, found {array.dtype}")
    wrong = np.flatnonzero((array < 0) | (array >= classes))
    if wrong.size:
        raise ValueError(f"{argument}: expected classes 0..{classes - 1}, found {array[wrong[0]]} at index {wrong[0]}")
    return array.astype(np.int64)
