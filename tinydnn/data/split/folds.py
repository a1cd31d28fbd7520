"""Cross-validation folds: every slice is held out exactly once."""

import numpy as np

from tinydnn.data.dataset import Dataset
from tinydnn.data.split.holdout import Split, majority_label
from tinydnn.errors import InputError

FOLD_STREAM = 5  # separates this random stream from others with the same seed


def fold_numbers(dataset: Dataset, *, by: str, folds: int, seed: int = 0) -> np.ndarray:
    """The fold in which each slice is held out: (N,) int64 from 1 to `folds`.

    by="slice": each class is shuffled and dealt evenly to the folds. by="patient": whole families are dealt, the
    largest first, each to the fold with the fewest slices of its class. by="official": the published folds.

    Raises `InputError` if the patients or the published folds are unknown, or a class is too small for `folds`.
    """
    if by == "official":
        return _official(dataset, folds)
    if by not in ("slice", "patient"):
        raise InputError(f"--by: expected one of slice, patient, official, found {by!r}")
    if not 2 <= folds <= len(dataset):
        raise InputError(f"--folds: expected 2 to {len(dataset)}, found {folds}")
    if by == "patient" and (missing := int(np.count_nonzero(dataset.patients == ""))):
        raise InputError(f"--by patient: expected the patient of every slice, found {missing} slices without")
    groups = np.unique(dataset.patients, return_inverse=True)[1] if by == "patient" else np.arange(len(dataset))
    group_labels, group_sizes = majority_label(dataset.labels, groups), np.bincount(groups)
    rng = np.random.default_rng([seed, FOLD_STREAM])
    numbers = np.zeros(len(dataset), np.int64)
    fold_sizes = np.zeros(folds)
    for label in np.unique(dataset.labels):
        members = np.flatnonzero(group_labels == label)
        sizes = group_sizes[members]
        if len(members) < folds:
            raise InputError(
                f"--folds: expected at most {len(members)}, the {by}s of class {dataset.class_names[label]}, "
                f"found {folds}"
            )
        order = rng.permutation(len(members))
        class_sizes = np.zeros(folds)  # slices of this class in each fold
        for member in order[np.argsort(-sizes[order], kind="stable")]:
            fold = np.lexsort((fold_sizes, class_sizes))[0]  # fewest of this class; ties: fewest in all
            numbers[groups == members[member]] = fold + 1
            class_sizes[fold] += sizes[member]
            fold_sizes[fold] += sizes[member]
    return numbers


def fold_split(numbers: np.ndarray, fold: int) -> Split:
    """Hold out the slices of one fold; train on all others."""
    return Split(train=np.flatnonzero(numbers != fold), test=np.flatnonzero(numbers == fold))


def _official(dataset: Dataset, folds: int) -> np.ndarray:
    numbers = dataset.folds
    if numbers is None or not numbers.all():
        missing = len(dataset) if numbers is None else int(np.count_nonzero(numbers == 0))
        raise InputError(
            f"--by official: expected the published fold (cvind.mat) of every slice, found {missing} slices without"
        )
    if set(np.unique(numbers)) != set(range(1, folds + 1)):
        raise InputError(f"--folds: expected {numbers.max()}, the number of published folds, found {folds}")
    return numbers
