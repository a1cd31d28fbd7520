"""How hard are the phantoms? They should need a network: a linear classifier on pixels must not do.

    python benchmarks/phantom_difficulty.py

Prints the accuracy on held-out phantoms, split by slice and by patient, of softmax regression on pixels (for several
weight decays, so that none is blamed for a poor choice) and of the paper's network as `tinydnn train` trains it. The
phantoms are the 600 that `tinydnn train` draws.
"""

import numpy as np

from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare import cache
from tinydnn.data.split.holdout import split
from tinydnn.layers import Flatten, Linear, Sequential
from tinydnn.models import baseline_cnn
from tinydnn.optim import SGD, one_cycle
from tinydnn.training.trainer import Trainer

SIZE, SEED = 128, 0
WEIGHT_DECAYS = (0.001, 0.01, 0.1)
SPLITS = ("slice", "patient")


def accuracy(model: Sequential, dataset: Dataset, by: str, *, lr: float, weight_decay: float, epochs: int) -> float:
    """Train on one side of a split; the accuracy on the other, after the last epoch."""
    parts = split(dataset.labels, dataset.patients, by=by, seed=SEED)
    batch = 16
    trainer = Trainer(
        model,
        SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=weight_decay),
        one_cycle(lr, iterations=epochs * (len(parts.train) // batch)),
        dataset,
        Normalisation.fit(dataset, parts.train),
        train=parts.train,
        watch=parts.test,
        batch_size=batch,
        epochs=epochs,
        seed=SEED,
    )
    records = list(trainer.run())
    return records[-1].accuracy


def linear(size: int) -> Sequential:
    """Softmax regression: one weight for each pixel and class, zeros at first."""
    model = Sequential(Flatten(), Linear(size * size, 3, rng=np.random.default_rng(SEED)))
    model.load_state({name: np.zeros_like(array) for name, array in model.state().items()})
    return model


def phantoms(size: int) -> Dataset:
    """The phantoms of `tinydnn train`, at `size` pixels along each side."""
    return Dataset.open(cache.prepared(cache.phantoms(600, size=SIZE), size=size))


print(f"{'classifier':34}" + "".join(f"by {by:10}" for by in SPLITS))
for size in (SIZE // 2, SIZE):
    for weight_decay in WEIGHT_DECAYS:
        figures = [
            accuracy(linear(size), phantoms(size), by, lr=0.1 / size, weight_decay=weight_decay, epochs=30)
            for by in SPLITS
        ]
        print(f"{f'linear, {size} px, decay {weight_decay}':34}" + "".join(f"{one:<13.1%}" for one in figures))
figures = [
    accuracy(baseline_cnn(image_size=SIZE, seed=SEED), phantoms(SIZE), by, lr=0.02, weight_decay=0.0, epochs=10)
    for by in SPLITS
]
print(f"{f'baseline CNN, {SIZE} px':34}" + "".join(f"{one:<13.1%}" for one in figures))
