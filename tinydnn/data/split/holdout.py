"""Split the slices into a training set and a held-out test set.

Slices of one patient are near copies of each other. Split by slice (the paper's protocol), almost every test patient
also appears in the training set, which inflates the results. A split by patient measures the
accuracy on new patients, which is what a doctor needs.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tinydnn.errors import InputError

SPLIT_STREAM = 1  # separates this random stream from others with the same seed


@dataclass(frozen=True, eq=False)
class Split:
    """Sorted int64 indices of the training and the test set: disjoint and complete."""

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
    """Hold out `test_fraction` of the slices, stratified by class.

    by="slice": holds out that share of every class, rounded by largest remainders so that the test set has
    round(N · test_fraction) slices in all. by="patient": holds out whole families (`patients`: a family per slice),
    in each class a random choice of families whose number of slices is as close as possible to that share.

    Raises `InputError` if a class would be missing from either set, if `by` is "patient" and patients are unknown,
    or if an argument is out of range.
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
    group_labels, group_sizes = majority_label(labels, groups), np.bincount(groups)
    quotas = largest_remainder(np.bincount(group_labels[groups]), test_fraction)
    rng = np.random.default_rng([seed, SPLIT_STREAM])
    group_in_test = np.zeros(len(group_sizes), bool)
    for label, quota in enumerate(quotas.tolist()):
        shuffled = rng.permutation(np.flatnonzero(group_labels == label))
        group_in_test[shuffled[_nearest_sum(group_sizes[shuffled], quota)]] = True
    in_test = group_in_test[groups]
    _require_every_class(labels, groups, in_test, by)
    return Split(train=np.flatnonzero(~in_test), test=np.flatnonzero(in_test))


def shared_patients(patients: np.ndarray, train: np.ndarray, test: np.ndarray) -> int:
    """Number of slices `test` of a patient who also has slices in `train`; unknown patients do not count."""
    known = patients[test] != ""
    return int(np.count_nonzero(np.isin(patients[test], patients[train]) & known))


def largest_remainder(counts: np.ndarray, fraction: float) -> np.ndarray:
    """Integer shares of `counts` · `fraction` whose sum is round(Σ counts · fraction), halves rounded up.

    Each share is rounded down; those with the largest remainders get one more (Hamilton's method).
    """
    exact = counts * fraction
    shares = np.floor(exact).astype(np.int64)
    missing = int(np.floor(counts.sum() * fraction + 0.5)) - shares.sum()
    shares[np.argsort(shares - exact, kind="stable")[:missing]] += 1
    return shares


def majority_label(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The most frequent label of each group (in the published dataset, all slices of a patient have the same)."""
    counts = np.zeros((groups.max() + 1, labels.max() + 1), np.int64)
    np.add.at(counts, (groups, labels), 1)
    return counts.argmax(axis=1)


def _nearest_sum(sizes: np.ndarray, target: int) -> np.ndarray:
    """Positions whose `sizes` sum as close as possible to `target`; early positions are preferred.

    Neither none nor all are chosen if there are two or more and 0 < `target` < Σ `sizes`. Subset sum by dynamic
    programming; a set of sums is one integer, bit s for the sum s.
    """
    sums = np.cumsum(sizes)
    if target in sums:
        return np.arange(np.searchsorted(sums, target) + 1)
    reachable = [1]  # reachable[i]: the sums of all subsets of the first i sizes
    for size in sizes.tolist():
        reachable.append(reachable[-1] | reachable[-1] << size)
        if reachable[-1] >> target & 1:
            break
    candidates = range(1, int(sizes.sum())) if target else ()
    remaining = min((s for s in candidates if reachable[-1] >> s & 1), key=lambda s: abs(s - target), default=0)
    chosen = []
    for position in range(len(reachable) - 2, -1, -1):
        if not reachable[position] >> remaining & 1:
            chosen.append(position)
            remaining -= int(sizes[position])
    return np.array(chosen, np.int64)


def _require_every_class(labels: np.ndarray, groups: np.ndarray, in_test: np.ndarray, by: str) -> None:
    for label in np.unique(labels):
        held_out = in_test[labels == label]
        if held_out.all() or not held_out.any():
            side, count = "training" if held_out.all() else "test", len(np.unique(groups[labels == label]))
            raise InputError(
                f"split by {by}: expected every class on both sides, found none of class {label + 1} left for "
                f"{side} ({len(held_out)} slices, {count} to choose from)"
            )
