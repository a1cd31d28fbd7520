"""Which slices are trained on and which are held back to test.

The slices of one patient are near copies of each other. Split by slice (the paper's protocol), almost every
test patient is also in training, which flatters the result; split by patient, the test asks what a doctor
asks: does it hold for people never seen before?
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tinydnn.errors import InputError

SPLIT_STREAM = 1  # keeps these random numbers apart from others drawn with the same seed


@dataclass(frozen=True, eq=False)
class Split:
    """Sorted int64 indices of the two sides, which share none and leave none out."""

    train: np.ndarray
    test: np.ndarray


def split(
    labels: np.ndarray,
    patients: np.ndarray,
    *,
    by: Literal["slice", "patient"] = "slice",
    test_fraction: float = 0.2,
    seed: int = 0,
) -> Split:
    """Hold back `test_fraction` of the slices, stratified by class.

    by="slice": every class gives its share, rounded by largest remainders so that the test side holds
    round(N · test_fraction) slices in all. by="patient": whole families (`patients`, one string a slice) are
    held back, in each class those whose slices come nearest to that share. Raises `InputError` when a class
    would be missing on either side, or when patients are asked for and unknown.
    """
    if not len(labels):
        raise InputError("split: expected slices, found none")
    if by not in ("slice", "patient"):
        raise InputError(f"split: expected slice or patient, found {by}")
    if not 0 < test_fraction < 1:
        raise InputError(f"test fraction: expected a number between 0 and 1, found {test_fraction:g}")
    if by == "patient" and (missing := int(np.count_nonzero(patients == ""))):
        raise InputError(
            f"split by patient: expected the patient of every slice, found {missing} slices without; "
            "split by slice instead"
        )
    groups = np.unique(patients, return_inverse=True)[1] if by == "patient" else np.arange(len(labels))
    group_class = majority(labels, groups)
    class_of_slice = group_class[groups]
    sizes = np.bincount(groups)
    quotas = largest_remainder(np.bincount(class_of_slice), test_fraction)
    rng = np.random.default_rng([seed, SPLIT_STREAM])
    in_test = np.zeros(len(sizes), bool)
    for label, quota in enumerate(quotas.tolist()):
        shuffled = rng.permutation(np.flatnonzero(group_class == label))
        in_test[shuffled[_nearest_sum(sizes[shuffled], quota)]] = True
    chosen = in_test[groups]
    _require_every_class(labels, groups, chosen, by)
    return Split(train=np.flatnonzero(~chosen), test=np.flatnonzero(chosen))


def shared_patients(patients: np.ndarray, learned: np.ndarray, test: np.ndarray) -> int:
    """How many of the slices `test` show a patient of the slices `learned`; unknown patients count as nobody."""
    known = patients[test] != ""
    return int(np.count_nonzero(np.isin(patients[test], patients[learned]) & known))


def largest_remainder(counts: np.ndarray, fraction: float) -> np.ndarray:
    """Whole shares of `counts` · `fraction` whose sum is round(Σ counts · fraction), halves rounded up.

    Each share is rounded down; those with the largest remainders get one more (Hamilton's method).
    """
    exact = counts * fraction
    shares = np.floor(exact).astype(np.int64)
    lacking = int(np.floor(counts.sum() * fraction + 0.5)) - shares.sum()
    shares[np.argsort(shares - exact, kind="stable")[:lacking]] += 1
    return shares


def majority(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The most frequent label in each group (in this dataset every slice of a patient has the same)."""
    counts = np.zeros((groups.max() + 1, labels.max() + 1), np.int64)
    np.add.at(counts, (groups, labels), 1)
    return counts.argmax(axis=1)


def _nearest_sum(sizes: np.ndarray, target: int) -> np.ndarray:
    """Positions whose `sizes` sum as near to `target` as they can, early positions preferred.

    Some but not all are chosen, where there are two to choose from and the target asks for that.
    """
    sums = np.cumsum(sizes)
    if target in sums:
        return np.arange(np.searchsorted(sums, target) + 1)
    reach = [1]  # bit s of reach[i]: some of the first i sizes sum to s
    for size in sizes.tolist():
        reach.append(reach[-1] | reach[-1] << size)
        if reach[-1] >> target & 1:
            break
    allowed = range(1, int(sizes.sum())) if target else ()
    left = min((s for s in allowed if reach[-1] >> s & 1), key=lambda s: abs(s - target), default=0)
    chosen = []
    for position in range(len(reach) - 2, -1, -1):
        if not reach[position] >> left & 1:
            chosen.append(position)
            left -= int(sizes[position])
    return np.array(chosen, np.int64)


def _require_every_class(labels: np.ndarray, groups: np.ndarray, in_test: np.ndarray, by: str) -> None:
    for label in np.unique(labels):
        held_back = in_test[labels == label]
        if held_back.all() or not held_back.any():
            side, count = "training" if held_back.all() else "test", len(np.unique(groups[labels == label]))
            raise InputError(
                f"split by {by}: expected every class on both sides, found none of class {label + 1} left for "
                f"{side} ({len(held_back)} slices, {count} to choose from)"
            )
