"""Votes over the slices of each patient, and a confidence interval that resamples patients.

The slices of a patient are strongly correlated: a network that errs on one errs on its neighbours. So the independent
unit of an interval is the patient, not the slice, and a vote over a patient's slices is what a diagnosis would use.
"""

import numpy as np
import numpy.typing as npt

from tinydnn.metrics.report import wilson_interval

BOOTSTRAP_STREAM = 4  # separates these draws from others with the same seed


def mean_vote(probabilities: npt.NDArray[np.floating], patients: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    """Classify each patient by the mean probabilities of their slices: (P,), patients in sorted order.

        vote[p] = argmax_k Σ_{n of p} probabilities[n, k]

    probabilities: (N, K). patients: (N,), PIDs. Ties go to the lowest class.
    Raises ValueError for no slices, or not one PID a slice.
    """
    p = _patient_indices("probabilities", probabilities, patients)
    sums = np.zeros((p.max() + 1, probabilities.shape[1]))
    np.add.at(sums, p, probabilities)
    return sums.argmax(axis=1)


def majority_vote(probabilities: npt.NDArray[np.floating], patients: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    """Classify each patient by the most frequent class of their slices: (P,), patients in sorted order.

        vote[p] = argmax_k #{n of p: argmax_j probabilities[n, j] = k}

    probabilities: (N, K). patients: (N,), PIDs. Ties go to the class with the larger mean probability.
    Raises ValueError for no slices, or not one PID a slice.
    """
    p = _patient_indices("probabilities", probabilities, patients)
    counts, sums = np.zeros((2, p.max() + 1, probabilities.shape[1]))
    np.add.at(counts, (p, probabilities.argmax(axis=1)), 1)
    np.add.at(sums, p, probabilities)
    tied = counts == counts.max(axis=1, keepdims=True)
    return np.where(tied, sums, -1.0).argmax(axis=1)


def bootstrap_interval(
    values: npt.NDArray[np.generic], patients: npt.NDArray[np.str_], *, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a mean over slices, by the cluster bootstrap, which resamples patients.

        a* = Σ_{p drawn} values of the slices of p / Σ_{p drawn} slices of p

    with P of the P patients drawn with replacement, `draws` times. The interval runs from the 2.5 % to the 97.5 %
    quantile of a*. values: (N,), such as whether each slice is classified correctly, whose mean is the accuracy, or a
    score of each slice. patients: (N,), PIDs.

    If all values are 1, or all are 0, a* has no variance; the interval is then Wilson's with n = P.

    Raises ValueError for no slices, or not one PID a slice.
    Source: Field and Welsh, Bootstrapping clustered data, J. R. Stat. Soc. B 69 (2007).
    """
    p = _patient_indices("values", values, patients)
    if (values == 1).all() or not values.any():
        count = int(p.max()) + 1
        return wilson_interval(count * bool(values.all()), count)
    return _resampled_interval(values, p, draws, seed)


def difference_interval(
    differences: npt.NDArray[np.generic], patients: npt.NDArray[np.str_], *, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a mean difference of two networks on the same slices, by the cluster bootstrap.

    As `bootstrap_interval`, but where no slice differs it is (0, 0): Wilson's is for shares. differences: (N,), such as
    −1, 0 or 1 for an answer that only the first, both or neither, or only the second has right. patients: (N,), PIDs.

    Raises as `bootstrap_interval` does.
    """
    return _resampled_interval(differences, _patient_indices("differences", differences, patients), draws, seed)


def _resampled_interval(
    values: npt.NDArray[np.generic], p: npt.NDArray[np.intp], draws: int, seed: int
) -> tuple[float, float]:
    """The quantiles of a* in `bootstrap_interval`. p: (N,), the patient of each slice, from 0."""
    slices, sums = np.bincount(p), np.bincount(p, weights=values)
    drawn = np.random.default_rng([seed, BOOTSTRAP_STREAM]).integers(0, len(slices), (draws, len(slices)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / slices[drawn].sum(axis=1), (0.025, 0.975))
    return float(low), float(high)


def resampled_slices(patients: npt.NDArray[np.str_], *, draws: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """How often each slice counts in each draw of the cluster bootstrap: (draws, N).

    In a draw, P of the P patients are drawn with replacement, and a slice counts as often as its patient was drawn. The
    draws are those of `bootstrap_interval`. patients: (N,), PIDs. Raises ValueError for no slices.
    """
    p = _patient_indices("patients", patients, patients)
    count = int(p.max()) + 1
    drawn = np.random.default_rng([seed, BOOTSTRAP_STREAM]).integers(0, count, (draws, count))
    return np.stack([np.bincount(draw, minlength=count) for draw in drawn])[:, p]


def _patient_indices(
    argument: str, values: npt.NDArray[np.generic], patients: npt.NDArray[np.str_]
) -> npt.NDArray[np.intp]:
    """The patient of each slice, an index into the sorted PIDs: (N,)."""
    if len(values) != len(patients) or not len(patients):
        raise ValueError(
            f"{argument}: expected one for each of {len(patients)} slices, at least 1, found {len(values)}"
        )
    return np.unique(patients, return_inverse=True)[1]
