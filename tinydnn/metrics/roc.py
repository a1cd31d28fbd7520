"""ROC curves, one class against the rest, and the area under them with its interval."""

import numpy as np
import numpy.typing as npt

from tinydnn.metrics.patients import resampled_slices

BLOCK = 100  # draws at a time, so that memory stays small

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]


def roc_curve(positive: Bools, scores: Floats) -> tuple[Floats, Floats]:
    """The false and the true positive rate at every threshold t, from (0, 0) to (1, 1): two arrays (T + 1,).

        fpr(t) = #{n: not positive[n], scores[n] >= t} / #{n: not positive[n]}
        tpr(t) = #{n: positive[n],     scores[n] >= t} / #{n: positive[n]}

    The T thresholds are the distinct scores, in descending order: slices of equal score pass a threshold together.
    positive: (N,), whether a slice is of the class. scores: (N,), the larger the more probable the class.
    Raises ValueError unless there are slices of the class and others.

    Source: Fawcett, An introduction to ROC analysis (2006), algorithm 1.
    """
    _require_both(positive)
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # of each group of equal scores
    hits = np.cumsum(positive[order])[last]
    alarms = last + 1 - hits
    return np.append(0.0, alarms / alarms[-1]), np.append(0.0, hits / hits[-1])


def auc(positive: Bools, scores: Floats) -> float:
    """The area under the ROC curve: how often a slice of the class has a larger score than another slice.

        AUC = 1/(P·Q) · Σ_{i positive} Σ_{j not positive} ([s[i] > s[j]] + ½·[s[i] = s[j]])

    P, Q: the numbers of slices of the class and of others. 0.5 is chance. Arguments and errors as for `roc_curve`.

    Source: Hanley and McNeil, The meaning and use of the area under an ROC curve (1982).
    """
    _require_both(positive)
    return float(_weighted_auc(positive, scores, np.ones(len(positive))))


def auc_interval(
    positive: Bools, scores: Floats, patients: npt.NDArray[np.str_], *, draws: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """The 95 % interval of the AUC by the cluster bootstrap, which resamples patients.

    It runs from the 2.5 % to the 97.5 % quantile of the AUC over the slices of P of the P patients, drawn with
    replacement `draws` times. A draw without slices of the class, or without others, has no AUC and does not count.
    None where the AUC has no variance, because it is 0 or 1 or because no two patients differ: then the bootstrap says
    nothing. patients: (N,), PIDs. Other arguments and errors as for `roc_curve`.

    Source: Field and Welsh, Bootstrapping clustered data, J. R. Stat. Soc. B 69 (2007).
    """
    _require_both(positive)
    counts = resampled_slices(patients, draws=draws, seed=seed)
    blocks = np.split(counts, range(BLOCK, draws, BLOCK))
    areas = np.concatenate([_weighted_auc(positive, scores, block) for block in blocks])
    low, high = np.nanquantile(areas, (0.025, 0.975))
    return None if low == high else (float(low), float(high))


def _weighted_auc(positive: Bools, scores: Floats, weights: npt.NDArray[np.generic]) -> Floats:
    """The AUC where slice n counts weights[…, n] times: (…,); NaN without slices of the class, or without others."""
    order = np.argsort(scores, kind="stable")
    ordered, positive, weights = scores[order], positive[order], weights[..., order]
    others = np.cumsum(weights * ~positive, axis=-1, dtype=float)
    others = np.concatenate([np.zeros_like(others[..., :1]), others], axis=-1)
    lower, upper = (np.searchsorted(ordered, ordered, side) for side in ("left", "right"))
    # Of the other slices, those of a lower score and half of those of the same score.
    beaten = (others[..., lower] + others[..., upper]) / 2
    hits = weights * positive
    with np.errstate(invalid="ignore"):
        areas: Floats = (hits * beaten).sum(axis=-1) / (hits.sum(axis=-1) * others[..., -1])
    return areas


def _require_both(positive: Bools) -> None:
    if positive.all() or not positive.any():
        raise ValueError(
            f"positive: expected slices of the class and others, found {int(positive.sum())} of {len(positive)}"
        )
