"""Why a split by slice flatters: it learns even what cannot be learned.

    python examples/leakage.py [DATA] [--picture leakage.png]

Every patient gets a random label, the same on all of the patient's slices, so that pictures say nothing about labels.
On new patients nothing better than chance is possible. A split by slice still gets far above it, because the network
recognises patients whom it has seen in training. Without DATA, synthetic phantoms are drawn. Their patients have too
little of their own to be recognised by: both splits then end near chance, and only real slices show the difference.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare import cache
from tinydnn.data.split.holdout import split
from tinydnn.models import baseline_cnn
from tinydnn.optim import SGD, one_cycle
from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLUE, GREY, VERMILION
from tinydnn.training.trainer import Trainer, Validation

SIZE, BATCH, EPOCHS, RATE, SEED = 64, 32, 30, 0.02, 0
PROTOCOLS = ("slice", "patient")


def shuffled(dataset: Dataset) -> Dataset:
    """The labels dealt out anew: each patient takes over another one's."""
    _, first, number = np.unique(dataset.patients, return_index=True, return_inverse=True)
    dealt = np.random.default_rng(SEED).permutation(dataset.labels[first])
    return replace(dataset, labels=dealt[number])


def train(dataset: Dataset, by: str) -> tuple[list[float], float]:
    """The held-out accuracy after each epoch, and that of always naming the most frequent class."""
    parts = split(dataset.labels, dataset.patients, by=by, seed=SEED)
    model = baseline_cnn(image_size=SIZE, classes=len(dataset.class_names), seed=SEED)
    iterations = EPOCHS * (len(parts.train) // BATCH)
    trainer = Trainer(
        model,
        SGD(model.parameters(), lr=RATE, momentum=0.9),
        one_cycle(RATE, iterations=iterations),
        dataset,
        Normalisation.fit(dataset, parts.train),
        train=parts.train,
        watch=parts.test,
        batch_size=BATCH,
        epochs=EPOCHS,
        seed=SEED,
    )
    found = [record.accuracy for record in trainer.run() if isinstance(record, Validation)]
    return found, float(np.bincount(dataset.labels[parts.test]).max() / len(parts.test))


def draw(path: Path, curves: dict[str, list[float]], chance: float, title: str) -> None:
    """Held-out accuracy by epoch, a curve for each protocol."""
    width, body = 7.2, 3.4
    with canvas.style():
        note = "Every patient's slices carry a random label; nothing about a new patient can be learned."
        figure = canvas.new_figure(width, body, "What a split by slice measures", title, note)
        axes = canvas.axes_at(figure, 0.75, 0.55, width - 0.75 - 1.9, body - 0.7)
        for (by, values), colour in zip(curves.items(), (BLUE, VERMILION), strict=True):
            axes.plot(range(1, len(values) + 1), [100 * value for value in values], color=colour)
            axes.text(
                len(values) + 0.3, 100 * values[-1], f"split by {by}: {values[-1]:.0%}", color=colour, va="center"
            )
        axes.axhline(100 * chance, color=GREY, linestyle="--", linewidth=1)
        axes.text(1, 100 * chance + 1.5, "always the most frequent label", color=GREY, size=8.5)
        axes.set(xlabel="epoch", ylabel="held-out accuracy, %", ylim=(0, 102))
        axes.spines[["top", "right"]].set_visible(False)
        canvas.save(figure, path)


def main() -> None:
    """Train with both protocols, print and draw what they find."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", help="what `tinydnn train` takes")
    parser.add_argument("--picture", type=Path, help="a PNG file for the curves")
    options = parser.parse_args()
    source = options.data or cache.phantoms(400, size=SIZE)
    dataset = shuffled(Dataset.open(cache.prepared(source, size=SIZE)))
    kind = "synthetic slices" if dataset.synthetic else "slices"
    print(f"{len(dataset)} {kind} of {dataset.patient_count} patients, labels shuffled between patients")
    curves = {}
    for by in PROTOCOLS:
        curves[by], chance = train(dataset, by)
        print(f"split by {by:8} {curves[by][-1]:6.1%} of held-out slices, {chance:.1%} by always the same answer")
    if options.picture:
        draw(options.picture, curves, chance, f"{len(dataset)} {kind} of {dataset.patient_count} patients")


if __name__ == "__main__":
    main()
