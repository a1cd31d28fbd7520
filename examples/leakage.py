"""Data leakage: why a split by slice overestimates accuracy.

    python examples/leakage.py [DATA] [--picture leakage.png]

Every patient gets a random label, the same for all slices of the patient, so that labels are independent of the images.
On new patients, no accuracy above chance is possible. A split by slice still gives far more, because the network
recognises patients of the training set. Without DATA, synthetic phantoms are used. Their patients differ too little to
be recognised: both splits then end near chance, and only real slices show the difference.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from tinydnn import plots
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare import cache
from tinydnn.data.split import split
from tinydnn.models import baseline_cnn
from tinydnn.optim import SGD, one_cycle
from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLUE, GREY, VERMILION
from tinydnn.training.protocol import Protocol, Validation
from tinydnn.training.trainer import Trainer

SIZE, BATCH, EPOCHS, LR, SEED = 64, 32, 30, 0.02, 0
SPLITS = ("slice", "patient")


def shuffled(dataset: Dataset) -> Dataset:
    """The dataset with the labels permuted between patients."""
    _, first, patient = np.unique(dataset.patients, return_index=True, return_inverse=True)
    permuted = np.random.default_rng(SEED).permutation(dataset.labels[first])
    return replace(dataset, labels=permuted[patient])


def train(dataset: Dataset, by: str) -> tuple[list[float], float]:
    """The held-out accuracy after each epoch, and that of always predicting the most frequent class."""
    parts = split(dataset.labels, dataset.patients, by=by, seed=SEED)
    model = baseline_cnn(image_size=SIZE, classes=len(dataset.class_names), seed=SEED)
    iterations = EPOCHS * (len(parts.train) // BATCH)
    trainer = Trainer(
        model,
        SGD(model.parameters(), lr=LR, momentum=0.9),
        one_cycle(LR, iterations=iterations),
        dataset,
        Normalisation.fit(dataset, parts.train),
        Protocol(parts.train, parts.test, batch_size=BATCH, epochs=EPOCHS, seed=SEED),
    )
    accuracies = [record.accuracy for record in trainer.run() if isinstance(record, Validation)]
    return accuracies, float(np.bincount(dataset.labels[parts.test]).max() / len(parts.test))


def draw(curves: dict[str, list[float]], chance: float, title: str) -> Figure:
    """Plot the held-out accuracy by epoch, a curve for each split."""
    with canvas.style():
        note = "Every patient has a random label; on new patients, only chance is possible."
        figure = canvas.new_figure(7.2, 3.6, "What a split by slice measures", title, note)
        axes = figure.subplots()
        for (by, values), colour in zip(curves.items(), (BLUE, VERMILION), strict=True):
            label = f"split by {by}: {100 * values[-1]:.1f} %"
            axes.plot(range(1, len(values) + 1), [100 * value for value in values], color=colour, label=label)
        label = f"most frequent label: {100 * chance:.1f} %"
        axes.axhline(100 * chance, color=GREY, linestyle="--", linewidth=1, label=label)
        axes.set(xlabel="Epoch", ylabel="Test accuracy (%)", ylim=(0, 102))
        # Labels at the ends of the curves would overlap where both splits end near chance.
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def main() -> None:
    """Train with both splits, print and plot the held-out accuracy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", help="dataset, as for `tinydnn train`; by default phantoms")
    parser.add_argument("--picture", type=Path, help=".png, .svg or .pdf file for the curves")
    options = parser.parse_args()
    if options.picture:
        plots.check_suffix(options.picture, "--picture")
    source = options.data or cache.phantoms(400, size=SIZE)
    dataset = shuffled(Dataset.open(cache.prepared(source, size=SIZE)))
    kind = "synthetic slices" if dataset.synthetic else "slices"
    print(f"{len(dataset)} {kind} of {dataset.patient_count} patients, labels shuffled between patients")
    curves = {}
    for by in SPLITS:
        curves[by], chance = train(dataset, by)
        print(f"split by {by:8} {curves[by][-1]:6.1%} of held-out slices (majority class {chance:.1%})")
    if options.picture:
        figure = draw(curves, chance, f"{len(dataset)} {kind} of {dataset.patient_count} patients")
        plots.save(figure, options.picture)


if __name__ == "__main__":
    main()
