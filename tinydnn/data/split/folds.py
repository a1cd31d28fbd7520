"""Cross-validation: every slice is held out once, in one of a few folds."""

import numpy as np

from tinydnn.data.dataset import Dataset
from tinydnn.data.split.holdout import Split, majority
from tinydnn.errors import InputError

FOLD_STREAM = 5  # keeps these random numbers apart from others drawn with the same seed


def fold_numbers(dataset: Dataset, *, by: str, folds: int, seed: int = 0) -> np.ndarray:
    """In which fold each slice is held out: (N,) int64 from 1 to `folds`.

    by="slice": each class is shuffled and dealt out evenly. by="patient": whole families; the largest are dealt first,
    each to the fold that has the fewest slices of its class. by="official": the published folds of the set.

    Raises `InputError` where the patients or the published folds are unknown, or a class has too few for all folds.
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
    group_class, all_sizes = majority(dataset.labels, groups), np.bincount(groups)
    rng = np.random.default_rng([seed, FOLD_STREAM])
    numbers = np.zeros(len(dataset), np.int64)
    whole = np.zeros(folds)
    for label in np.unique(dataset.labels):
        members = np.flatnonzero(group_class == label)
        sizes = all_sizes[members]
        if len(members) < folds:
            raise InputError(
                f"--folds: expected at most {len(members)}, the {by}s of class {dataset.class_names[label]}, "
                f"found {folds}"
            )
        order = rng.permutation(len(members))
        of_class = np.zeros(folds)
        for member in order[np.argsort(-sizes[order], kind="stable")]:
            fold = np.lexsort((whole, of_class))[0]  # the fewest of this class; of equals, the fewest of all
            numbers[groups == members[member]] = fold + 1
            of_class[fold] += sizes[member]
            whole[fold] += sizes[member]
    return numbers


def fold_split(numbers: np.ndarray, fold: int) -> Split:
    """The slices of one fold are held out, all others trained on."""
    return Split(train=np.flatnonzero(numbers != fold), test=np.flatnonzero(numbers == fold))


def _official(dataset: Dataset, folds: int) -> np.ndarray:
    numbers = dataset.folds
    if numbers is None or not numbers.all():
        missing = len(dataset) if numbers is None else int(np.count_nonzero(numbers == 0))
        raise InputError(
            f"--by official: expected the published fold (cvind.mat) of every slice, found {missing} slices without"
        )
    if set(np.unique(numbers)) != set(range(1, folds + 1)):
        raise InputError(f"--folds: expected {numbers.max()}, as many as are published, found {folds}")
    return numbers
