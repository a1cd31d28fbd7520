"""Difficulty of the phantoms: a convolutional network should be needed, a linear classifier on pixels should fail.

    python benchmarks/phantom_difficulty.py

Prints the held-out accuracy, split by slice and by patient, of softmax regression on pixels (with several weight
decays) and of the baseline network as `tinydnn train` trains it, on the 600 phantoms of `tinydnn train`.
"""

import numpy as np

from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare import cache
from tinydnn.data.split import split
from tinydnn.layers import Flatten, Linear, Sequential
from tinydnn.models import baseline_cnn
from tinydnn.optim import SGD, one_cycle
from tinydnn.training.protocol import Protocol
from tinydnn.training.trainer import Trainer

SIZE, SEED = 128, 0
WEIGHT_DECAYS = (0.001, 0.01, 0.1)
SPLITS = ("slice", "patient")


def accuracy(model: Sequential, dataset: Dataset, by: str, *, lr: float, weight_decay: float, epochs: int) -> float:
    """Train on the training set of a split; the accuracy on its test set after the last epoch."""
    parts = split(dataset.labels, dataset.patients, by=by, seed=SEED)
    batch = 16
    trainer = Trainer(
        model,
        SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=weight_decay),
        one_cycle(lr, iterations=epochs * (len(parts.train) // batch)),
        dataset,
        Normalisation.fit(dataset, parts.train),
        Protocol(parts.train, parts.test, batch_size=batch, epochs=epochs, seed=SEED),
    )
    *_, last = trainer.run()
    return last.accuracy


def linear(size: int) -> Sequential:
    """Softmax regression: one weight for each pixel and class, initially 0."""
    model = Sequential(Flatten(), Linear(size * size, 3, rng=np.random.default_rng(SEED)))
    model.load_state({name: np.zeros_like(array) for name, array in model.state().items()})
    return model


def phantoms(size: int) -> Dataset:
    """The phantoms of `tinydnn train`, resized to `size` × `size` pixels."""
    return Dataset.open(cache.prepared(cache.phantoms(600, size=SIZE), size=size))


print(f"{'classifier':34}" + "".join(f"by {by:10}" for by in SPLITS))
for size in (SIZE // 2, SIZE):
    for weight_decay in WEIGHT_DECAYS:
        accuracies = [
            accuracy(linear(size), phantoms(size), by, lr=0.1 / size, weight_decay=weight_decay, epochs=30)
            for by in SPLITS
        ]
        print(f"{f'linear, {size} px, decay {weight_decay}':34}" + "".join(f"{share:<13.1%}" for share in accuracies))
accuracies = [
    accuracy(baseline_cnn(image_size=SIZE, seed=SEED), phantoms(SIZE), by, lr=0.02, weight_decay=0.0, epochs=10)
    for by in SPLITS
]
print(f"{f'baseline CNN, {SIZE} px':34}" + "".join(f"{share:<13.1%}" for share in accuracies))
