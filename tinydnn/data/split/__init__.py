"""Training and test sets, by slice or by patient, and cross-validation folds."""

from tinydnn.data.split.folds import fold_numbers, fold_split
from tinydnn.data.split.holdout import Split, shared_patients, split

__all__ = ["Split", "fold_numbers", "fold_split", "shared_patients", "split"]
