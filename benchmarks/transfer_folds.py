"""How good a frozen network's features are for new patients: five folds by patient, a head trained on each.

    python benchmarks/transfer_folds.py DATA --from vgg16 --weights FILE [--head linear] [--head-lr 0.001] [--epochs 15]

Every slice is held out once, with all others of its patient. The features are computed once for all folds. A patient is
counted right where the mean of the probabilities of the slices says the right class. `--weights random` shows what the
features of an untrained network are worth. Nothing is chosen by the held-out slices: what the last epoch leaves counts.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from tinydnn.data.cache import prepared
from tinydnn.data.dataset import Dataset
from tinydnn.data.split import Split
from tinydnn.metrics import confusion_matrix, wilson_interval
from tinydnn.runs import FinetuneOptions, FinetuneRun

FOLDS = 5


def folds(dataset: Dataset, seed: int) -> np.ndarray:
    """A fold for every slice, (N,): whole families, those of each class in turn to the fold that has fewest slices."""
    fold = np.empty(len(dataset), np.int64)
    rng = np.random.default_rng([seed, FOLDS])
    for label in range(len(dataset.class_names)):
        sizes = np.zeros(FOLDS, np.int64)
        for family in rng.permutation(np.unique(dataset.patients[dataset.labels == label])):
            slices = (dataset.patients == family) & (dataset.labels == label)
            fold[slices] = sizes.argmin()
            sizes[sizes.argmin()] += slices.sum()
    return fold


class FoldRun(FinetuneRun):
    """A fine-tuning whose two sides are given, and which writes nothing."""

    def __init__(self, options: FinetuneOptions, dataset: Dataset, split: Split) -> None:
        super().__init__(Path(), options, dataset)
        self.split = split
        self.trainer = self.make_trainer()


def main() -> None:
    """Train and test each fold, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--from", dest="model", default="vgg16")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--head", default="linear")
    parser.add_argument("--head-lr", type=float, default=0.001)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    options = FinetuneOptions(**{**vars(given), "split": "patient"})
    dataset = Dataset.open(prepared(given.data, size=given.size))
    fold, probabilities = folds(dataset, given.seed), np.zeros((len(dataset), len(dataset.class_names)))
    features = training = 0.0
    for k in range(FOLDS):
        held_out = Split(train=np.flatnonzero(fold != k), test=np.flatnonzero(fold == k))
        run = FoldRun(replace(options, seed=given.seed + k), dataset, held_out)
        begin = perf_counter()
        run.prepare(lambda done, total: None)
        features += perf_counter() - begin
        begin = perf_counter()
        for _ in run.trainer.run():
            pass
        training += perf_counter() - begin
        probabilities[held_out.test] = run.trainer.last_evaluation.probabilities
    right = probabilities.argmax(axis=1) == dataset.labels
    families = np.unique(dataset.patients)
    of_family = [dataset.patients == family for family in families]
    by_patient = [probabilities[one].mean(axis=0).argmax() == dataset.labels[one][0] for one in of_family]
    print(json.dumps({
        "network": given.model, "weights": Path(given.weights).name, "head": given.head, "head_lr": given.head_lr,
        "epochs": given.epochs, "size": given.size,
        "folds": [round(float(right[fold == k].mean()), 4) for k in range(FOLDS)],
        "slices": len(dataset), "slice_accuracy": round(float(right.mean()), 4),
        "slice_interval": [round(one, 4) for one in wilson_interval(int(right.sum()), len(right))],
        "patients": len(families), "patient_accuracy": round(float(np.mean(by_patient)), 4),
        "patient_interval": [round(one, 4) for one in wilson_interval(int(np.sum(by_patient)), len(by_patient))],
        "confusion_matrix": confusion_matrix(dataset.labels, probabilities.argmax(axis=1), 3).tolist(),
        "feature_seconds": round(features, 1), "training_seconds": round(training, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
