"""From slices to patients: what the slices of one patient say together, and how sure an accuracy is over patients.

The slices of a patient are near copies: a network that errs on one errs on its neighbours. So a patient, not a
slice, is what an interval must count, and a vote over a patient's slices is the answer that a doctor would use.
"""

import numpy as np
import numpy.typing as npt

from tinydnn.metrics.report import wilson_interval

BOOTSTRAP_STREAM = 4  # keeps these random numbers apart from others drawn with the same seed


def mean_vote(probabilities: npt.NDArray[np.floating], patients: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    """Each patient's class by the mean of their slices' probabilities, patients in sorted order: (P,).

        vote[p] = argmax_k Σ_{n of p} probabilities[n, k]

    probabilities: (N, K). patients: (N,), names. Of equal sums the lowest class wins.
    """
    _require_one_each("probabilities", probabilities, patients)
    _, number = np.unique(patients, return_inverse=True)
    sums = np.zeros((number.max() + 1, probabilities.shape[1]))
    np.add.at(sums, number, probabilities)
    return sums.argmax(axis=1)


def majority_vote(probabilities: npt.NDArray[np.floating], patients: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    """Each patient's class by the most frequent class of their slices; of equal counts, the larger mean wins.

    probabilities: (N, K). patients: (N,), names. The result: (P,), patients in sorted order.
    """
    _require_one_each("probabilities", probabilities, patients)
    _, number = np.unique(patients, return_inverse=True)
    counts, sums = (np.zeros((number.max() + 1, probabilities.shape[1])) for _ in range(2))
    np.add.at(counts, (number, probabilities.argmax(axis=1)), 1)
    np.add.at(sums, number, probabilities)
    most = counts == counts.max(axis=1, keepdims=True)
    return np.where(most, sums, -1.0).argmax(axis=1)


def bootstrap_interval(
    correct: npt.NDArray[np.bool_], patients: npt.NDArray[np.str_], *, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of the accuracy over slices, by drawing patients, not slices, with replacement.

        a* = Σ correct slices of the drawn patients / Σ slices of the drawn patients

    from as many patients as there are, `draws` times; the interval lies between the 2.5 % and 97.5 % quantiles of a*.
    correct: (N,), whether each slice is classified correctly. patients: (N,), names.

    Where all is right, or all wrong, every draw would be the same and the interval would have no width; there it is
    Wilson's, over as many answers as there are patients.

    Source: Field and Welsh, Bootstrapping clustered data, J. R. Stat. Soc. B 69 (2007), the cluster bootstrap.
    """
    _require_one_each("correct", correct, patients)
    _, number = np.unique(patients, return_inverse=True)
    sizes = np.bincount(number)
    hits = np.bincount(number, weights=correct)
    if correct.all() or not correct.any():
        return wilson_interval(len(sizes) * bool(correct.all()), len(sizes))
    rng = np.random.default_rng([seed, BOOTSTRAP_STREAM])
    drawn = rng.integers(0, len(sizes), (draws, len(sizes)))
    low, high = np.quantile(hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), (0.025, 0.975))
    return float(low), float(high)


def _require_one_each(argument: str, values: npt.NDArray[np.generic], patients: npt.NDArray[np.str_]) -> None:
    if len(values) != len(patients) or not len(patients):
        raise ValueError(
            f"{argument}: expected one for each of {len(patients)} slices, at least 1, found {len(values)}"
        )
