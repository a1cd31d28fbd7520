"""The training, validation and test sets of a run."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tinydnn.data.dataset import Dataset
from tinydnn.data.split import Split, fold_numbers, fold_split, split
from tinydnn.runs.options import Options


@dataclass(frozen=True, eq=False)
class Partition(Split):
    """A split with a validation set, which is empty unless it selects the best epoch."""

    validation: np.ndarray

    @property
    def non_test(self) -> np.ndarray:
        """The slices of the training set, then those of the validation set."""
        return np.concatenate([self.train, self.validation])


def partition(options: Options, dataset: Dataset) -> Partition:
    """The indices of the slices in each set, sorted.

    The split or the fold determines the test set. The validation set is split from the other slices in the same way, by
    slice or by patient, so that it estimates the same accuracy.
    """
    labels, patients, seed = dataset.labels, dataset.patients, options.seed
    if options.fold is None:
        outer = split(labels, patients, by=cast(Any, options.split), test_fraction=options.test_fraction, seed=seed)
    else:
        outer = fold_split(fold_numbers(dataset, by=options.split, folds=options.folds, seed=seed), options.fold)
    if not options.validation:
        return Partition(outer.train, outer.test, np.array([], np.int64))
    by: Any = "slice" if options.split == "slice" else "patient"
    inner = split(labels[outer.train], patients[outer.train], by=by, test_fraction=options.validation, seed=seed)
    return Partition(outer.train[inner.train], outer.test, outer.train[inner.test])
