"""Calibration: whether a network is right as often as it says."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 10


@dataclass(frozen=True, eq=False)
class Calibration:
    """A reliability diagram: M bins of confidence, and what happened in each.

    edges: (M + 1,). counts: (M,), the slices in each bin. confidence, accuracy: (M,), their mean confidence and the
    share of them that is classified correctly; NaN in an empty bin. error: the expected calibration error.
    """

    edges: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    error: float


def calibration(
    probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], *, bins: int = BINS
) -> Calibration:
    """The reliability diagram and the expected calibration error of N predictions.

        c[n]    = max_k probabilities[n, k]                         the confidence
        B_m     = {n: (m − 1)/M < c[n] <= m/M}                      m = 1 … M, M = `bins` of equal width
        acc(B)  = #{n in B: the prediction is right} / #B,          conf(B) = Σ_{n in B} c[n] / #B
        ECE     = Σ_m #B_m / N · |acc(B_m) − conf(B_m)|

    probabilities: (N, K). labels: (N,). Raises ValueError for no slices, or not one label a slice.

    Source: Guo et al., On Calibration of Modern Neural Networks (2017), section 2, equation 3.
    """
    if len(labels) != len(probabilities) or not len(labels):
        raise ValueError(
            f"labels: expected one for each of {len(probabilities)} slices, at least 1, found {len(labels)}"
        )
    edges = np.linspace(0, 1, bins + 1)
    confidence = probabilities.max(axis=1).astype(float)
    # Rounding may lift a probability a little above 1.
    m = np.minimum(np.searchsorted(edges, confidence, side="left") - 1, bins - 1)
    right = probabilities.argmax(axis=1) == labels
    counts, claimed, hits = (np.bincount(m, weights, bins) for weights in (None, confidence, right))
    with np.errstate(invalid="ignore"):
        mean_confidence, accuracy = claimed / counts, hits / counts
    return Calibration(edges, counts, mean_confidence, accuracy, float(abs(hits - claimed).sum() / len(labels)))
