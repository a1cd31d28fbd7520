"""Which slices a run trains on, which it may choose by, and which it is judged by."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tinydnn.data.dataset import Dataset
from tinydnn.data.split.folds import fold_numbers, fold_split
from tinydnn.data.split.holdout import Split, split
from tinydnn.runs.options import Options


@dataclass(frozen=True, eq=False)
class Parts(Split):
    """A split whose training part has given some slices up to choose by; `validation` is empty where nothing is."""

    validation: np.ndarray


def parts(options: Options, dataset: Dataset) -> Parts:
    """The slices of each part: indices, sorted.

    Test slices are what the split, or the fold, holds out. The validation part is held out of the rest in the same
    way, by slice or by patient, so that it asks the question that the test asks.
    """
    if options.fold is None:
        outer = split(
            dataset.labels,
            dataset.patients,
            by=cast(Any, options.split),
            test_fraction=options.test_fraction,
            seed=options.seed,
        )
    else:
        numbers = fold_numbers(dataset, by=options.split, folds=options.folds, seed=options.seed)
        outer = fold_split(numbers, options.fold)
    if not options.validation:
        return Parts(outer.train, outer.test, np.array([], np.int64))
    inner = split(
        dataset.labels[outer.train],
        dataset.patients[outer.train],
        by="slice" if options.split == "slice" else "patient",
        test_fraction=options.validation,
        seed=options.seed,
    )
    return Parts(outer.train[inner.train], outer.test, outer.train[inner.test])
