"""The cost of augmentation in a training step, with batches prefetched as in `tinydnn train`.

    python benchmarks/augment_cost.py [DATA] [--json F]

Trains a network for a few epochs with and without augmentation, in turns, and compares the median times of a step. A
step is timed from the end of the step before it, so its time includes any wait for the batch.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from tinydnn.bench.machine import machine
from tinydnn.data.augment import parse_augmentation
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare import cache
from tinydnn.models import MODELS
from tinydnn.optim import SGD, constant
from tinydnn.storage import atomic_write
from tinydnn.training.protocol import Protocol, Step
from tinydnn.training.trainer import Trainer

CASES = (("baseline", 256, 128), ("baseline", 128, 128), ("regions", 128, 32))  # model, pixels, batch
AUGMENTATIONS = ("none", "light", "strong")
SLICES, ROUNDS, WARM_UP = 384, 3, 1  # slices an epoch; turns of each augmentation; untimed first steps


def seconds(dataset: Dataset, model: str, batch: int, augment: str) -> list[float]:
    """The times of the steps of two epochs, without warm-up."""
    network = MODELS[model](image_size=dataset.size, classes=len(dataset.class_names))
    chosen = np.arange(min(SLICES, len(dataset)))
    trainer = Trainer(
        network,
        SGD(network.parameters(), lr=0.001, momentum=0.9),
        constant(0.001),
        dataset,
        Normalisation.fit(dataset, chosen[:64]),
        Protocol(chosen, chosen[:batch], batch_size=batch, epochs=2, augment=parse_augmentation(augment)),
    )
    steps = [record.seconds for record in trainer.run() if isinstance(record, Step)]
    return steps[WARM_UP:]


def measure(source: str, model: str, size: int, batch: int) -> dict[str, Any]:
    """The median times of a step by augmentation, in milliseconds, and their increase over none, in percent."""
    dataset = Dataset.open(cache.prepared(source, size=size))
    times: dict[str, list[float]] = {augment: [] for augment in AUGMENTATIONS}
    for _ in range(ROUNDS):
        for augment in AUGMENTATIONS:
            times[augment] += seconds(dataset, model, batch, augment)
    medians = {augment: 1000 * median(values) for augment, values in times.items()}
    increases = {augment: 100 * (medians[augment] / medians["none"] - 1) for augment in AUGMENTATIONS[1:]}
    return {"model": model, "size": size, "batch": batch, "step_ms": medians, "percent_more": increases}


def main() -> None:
    """Measure all cases, print the results and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", help="dataset, as for `tinydnn train`; by default phantoms")
    parser.add_argument("--json", type=Path, help="JSON file for the results")
    options = parser.parse_args()
    rows = []
    for model, size, batch in CASES:
        row = measure(options.data or str(cache.phantoms(600, size=128)), model, size, batch)
        rows.append(row)
        costs = ", ".join(f"{augment} {percent:+.1f} %" for augment, percent in row["percent_more"].items())
        print(f"{model}, {size} × {size}, batch {batch}: {row['step_ms']['none']:.0f} ms a step; {costs}", flush=True)
    if options.json:
        with atomic_write(options.json) as path:
            path.write_text(json.dumps({"machine": asdict(machine()), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
