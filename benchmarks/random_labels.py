"""The test with random labels: does an explanation depend on what a network has learned?

    python benchmarks/random_labels.py RUN [--slices 128] [--method saliency,grad-cam]

Three networks of the run's kind are trained on the same few training slices until they fit them: on the true labels,
on the true labels with other initial weights, and on the labels in random order with those other weights. The maps of
the first are compared with those of the second, and with those of the third. Where both correlations are equal, the
map does not show what was learned; from 0.5 on with the third, it fails. A network that did not fit its labels says
nothing, so its accuracy is printed.

Source: Adebayo et al., Sanity Checks for Saliency Maps (2018), section 3.2.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from tinydnn.checkpoint import load_model
from tinydnn.cli.explain import named_methods
from tinydnn.cli.running import open_dataset
from tinydnn.data.dataset import Dataset
from tinydnn.explain import Method, methods_for
from tinydnn.explain.baselines import BASELINES
from tinydnn.explain.sanity import STRONG, compare_networks, randomisations
from tinydnn.layers import Sequential
from tinydnn.optim import Adam, constant
from tinydnn.runs.explaining import SANITY_SLICES, SLOW, SLOW_SANITY_SLICES, Slices, slices_to_explain
from tinydnn.runs.files import MODEL
from tinydnn.runs.finished import FinishedRun, finished_options, open_finished
from tinydnn.training.protocol import Protocol, Validation
from tinydnn.training.trainer import Trainer

FITTED, EPOCHS, LEARNING_RATE, BATCH_SIZE = 0.95, 150, 0.001, 16
STREAM = 7  # separates these draws from others with the same seed


def fit(run: FinishedRun, dataset: Dataset, few: np.ndarray, seed: int) -> Sequential:
    """A new network of the run's kind, trained until it classifies a share of `FITTED` of the slices `few` as labelled.

    Prints the share that it reached, and the epochs.
    """
    *_, (_, model) = randomisations(run.saved.model, seed=seed)
    model.unfreeze()
    protocol = Protocol(train=few, held_out=few, batch_size=BATCH_SIZE, epochs=EPOCHS, seed=seed)
    optimizer = Adam(model.parameters(), lr=LEARNING_RATE)
    trainer = Trainer(model, optimizer, constant(LEARNING_RATE), dataset, run.saved.normalise, protocol)
    for record in trainer.run():
        if isinstance(record, Validation) and record.accuracy >= FITTED:
            break
    last = trainer.validations[-1]
    print(f"{last.accuracy:.1%} of {len(few)} labels fitted in {last.epoch} epochs", flush=True)
    return model


def compare(slices: Slices, methods: list[Method], few: np.ndarray, seed: int) -> None:
    """Train the three networks, and print the correlations of their maps."""
    run = slices.run
    labels = run.dataset.labels.copy()
    labels[few] = np.random.default_rng([seed, STREAM]).permutation(labels[few])
    shuffled = replace(run.dataset, labels=labels)
    model, again = fit(run, run.dataset, few, seed), fit(run, run.dataset, few, seed + 1)
    random = fit(run, shuffled, few, seed + 1)
    print(f"{'method':24}{'true labels':>12}{'random labels':>15}  verdict")
    for method in methods:
        positions = slices.subset(0, SLOW_SANITY_SLICES if method.name in SLOW else SANITY_SLICES)
        x = slices.images(positions)
        classes = model.predict(x).argmax(axis=1)
        true, other = (compare_networks(method, model, network, x, classes) for network in (again, random))
        print(f"{method.title:24}{true:12.2f}{other:15.2f}  {'passed' if other < STRONG else 'failed'}", flush=True)


def main() -> None:
    """Open the run, draw the slices, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--slices", type=int, default=128, help="training slices that the networks fit")
    parser.add_argument("--method", help="names, separated by commas; by default all that can explain the model")
    arguments = parser.parse_args()
    options = finished_options(arguments.run)
    run = open_finished(arguments.run, options, load_model(arguments.run / MODEL), open_dataset(options))
    model = run.saved.model
    methods = named_methods(model, arguments.method) if arguments.method else methods_for(model)
    few = np.sort(np.random.default_rng([options.seed, STREAM]).permutation(run.split.train)[: arguments.slices])
    compare(slices_to_explain(run), [*methods, *BASELINES.values()], few, options.seed)


if __name__ == "__main__":
    main()
