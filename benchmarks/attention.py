"""Networks with and without attention on the same splits: trains them, and writes a table of benchmarks/README.md.

    python benchmarks/attention.py DATA --out FOLDER    train what FOLDER does not hold yet; write results and table
    python benchmarks/attention.py --check              compare the table with the results

DATA is what `tinydnn train` takes. Each network is trained for each seed and split in a folder of its own, FOLDER/NAME-
SPLIT-SEED; the seed determines the split, so all networks have the same training and test slices. A run that was
interrupted is resumed, a complete one is kept. The results are in `benchmarks/results/attention.json`.
"""

import argparse
import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from readme import RESULTS, update_table

from tinydnn import metrics, models
from tinydnn.data.dataset import Dataset
from tinydnn.data.prepare import cache
from tinydnn.layers import AttentionPool2d, GlobalAvgPool2d, Sequential, SpatialAttention, SqueezeExcitation
from tinydnn.runs import Options, Run
from tinydnn.storage import atomic_write

SEEDS, SPLITS = (0, 1, 2), ("patient", "slice")
REFERENCE = "average"  # the network that the others are compared with, slice by slice
TRAINING = {
    "size": 128,
    "epochs": 10,
    "batch_size": 32,
    "optimizer": "adam",
    "lr": 0.001,
}  # chosen in attention-trials.md


def average_cnn(**options: Any) -> Sequential:
    """`attention_cnn` with global average pooling: the same weights at first, and then the same values too."""
    model = models.attention_cnn(**options)
    layers = [GlobalAvgPool2d() if isinstance(layer, AttentionPool2d) else layer for layer in model.layers]
    return Sequential(*layers, input_shape=model.input_shape)


def gated_cnn(**options: Any) -> Sequential:
    """`average_cnn` with a gate of the channels and one of the positions before the pooling."""
    model, rng = average_cnn(**options), np.random.default_rng([options["seed"], 1])
    first, rest = model.split_at([type(layer) for layer in model.layers].index(GlobalAvgPool2d))
    gates = SqueezeExcitation(models.CHANNELS[-1], rng=rng), SpatialAttention(rng=rng)
    return Sequential(*first.layers, *gates, *rest.layers, input_shape=model.input_shape)


NETWORKS: dict[str, tuple[str, Callable[..., Sequential]]] = {
    "baseline": ("paper's network, flattened", models.baseline_cnn),
    "average": ("average pooling", average_cnn),
    "attention": ("attention pooling", models.attention_cnn),
    "gated": ("squeeze-and-excitation, spatial attention, average pooling", gated_cnn),
    "vit-tiny": ("tiny vision transformer", models.vit_tiny),
}


def options_of(name: str, split: str, seed: int, data: str | None = None) -> Options:
    """The options of a run; all networks are trained alike."""
    return Options(model=name, split=split, seed=seed, data=data, **TRAINING)


def train(data: str, out: Path) -> list[Path]:
    """Train every network for every split and seed that is not complete; returns the folders."""
    dataset = Dataset.open(cache.prepared(data, size=TRAINING["size"]))
    folders = []
    for seed in SEEDS:
        for split in SPLITS:
            for name in NETWORKS:
                folder = out / f"{name}-{split}-{seed}"
                folders.append(folder)
                run = Run(folder, options_of(name, split, seed, str(Path(data).absolute())), dataset)
                run.start()
                if not run.complete:
                    for _ in run.records():
                        pass
                    print(f"{folder.name}: {run.finish()['accuracy']:.1%}", flush=True)
    return folders


def read(folders: list[Path]) -> dict[str, Any]:
    """The training, and the figures of each network on each split."""
    runs: dict[tuple[str, str], list[Path]] = {}
    for folder in folders:
        options = json.loads((folder / "config.json").read_text())["options"]
        runs.setdefault((options["split"], options["model"]), []).append(folder)
    return {"training": TRAINING, "rows": [row(*key, runs) for key in runs]}


def row(split: str, name: str, runs: dict[tuple[str, str], list[Path]]) -> dict[str, Any]:
    """The figures of a network on a split.

    The intervals are bootstraps over patients, with the test slices of all seeds. A slice that several seeds hold out
    counts as often, but all slices of a patient are drawn together, so that does not narrow the interval.
    """
    reports = [json.loads((folder / "metrics.json").read_text()) for folder in runs[split, name]]
    model = NETWORKS[name][1](image_size=TRAINING["size"], seed=0)
    correct, patients = predictions(runs[split, name])
    reference, _ = predictions(runs[split, REFERENCE])
    difference = correct - reference  # −1, 0 or 1 for each slice
    return {
        "network": name,
        "split": split,
        "parameters": sum(parameter.value.size for parameter in model.parameters().values()),
        "accuracies": [report["accuracy"] for report in reports],
        "interval": metrics.bootstrap_interval(correct, patients),
        "difference": float(difference.mean()),
        "difference_interval": None if name == REFERENCE else metrics.difference_interval(difference, patients),
        "patients_right": None if split == "slice" else [report["per_patient"]["mean_vote"] for report in reports],
        "slices": len(correct),
        "patients": len(set(patients.tolist())),
        "seconds": [report["training_seconds"] for report in reports],
    }


def predictions(folders: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Whether each test slice of the runs is classified correctly, 1 or 0, and its patient."""
    correct, patients = [], []
    for folder in folders:
        with (folder / "predictions.csv").open(newline="", encoding="utf-8") as file:
            for line in csv.DictReader(file):
                correct.append(int(line["prediction"] == line["label"]))
                patients.append(line["patient"])
    return np.array(correct), np.array(patients)


def table(results: dict[str, Any]) -> str:
    """A line for each network and split, and the training."""
    lines = [
        "| network | parameters | split by | accuracy % | of each seed | 95 % over patients "
        "| against average pooling | patients correct % |",
        "|---|---|---|---|---|---|---|---|",
        *map(line, results["rows"]),
    ]
    training = results["training"]
    return "\n".join(lines) + (
        f"\n\n{training['epochs']} epochs in batches of {training['batch_size']} at {training['size']} × "
        f"{training['size']} pixels, {training['optimizer']} with a peak learning rate of {training['lr']}, 20 % held "
        f"out; the seeds are {', '.join(map(str, SEEDS))}.\n"
    )


def line(row: dict[str, Any]) -> str:
    """A line of the table."""
    title, _ = NETWORKS[row["network"]]
    accuracies = ", ".join(f"{100 * accuracy:.1f}" for accuracy in row["accuracies"])
    low, high = (100 * limit for limit in row["interval"])
    against = "-"
    if row["difference_interval"]:
        below, above = (100 * limit for limit in row["difference_interval"])
        against = f"{100 * row['difference']:+.1f} ({below:+.1f} to {above:+.1f})"
    votes = f"{100 * fmean(row['patients_right']):.1f}" if row["patients_right"] else "-"
    return (
        f"| {title} (`{row['network']}`) | {row['parameters']:,} | {row['split']} | "
        f"**{100 * fmean(row['accuracies']):.1f}** | {accuracies} | {low:.1f} to {high:.1f} | {against} | {votes} |"
    )


def main() -> int:
    """Train and write the results and the table, or compare the table; return 1 if it differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", help="folder of .mat files, zips, image folder or prepared file")
    parser.add_argument("--out", type=Path, help="folder of the runs")
    parser.add_argument("--check", action="store_true", help="compare the table with the results")
    options = parser.parse_args()
    if options.check == bool(options.data and options.out):
        parser.error("expected DATA and --out, or --check")
    results = RESULTS / "attention.json"
    if not options.check:
        models.MODELS.update({name: make for name, (_, make) in NETWORKS.items()})
        trained = read(train(options.data, options.out))
        with atomic_write(results) as path:
            path.write_text(json.dumps(trained, indent=1) + "\n")
    return update_table("attention", table(json.loads(results.read_text())), check=options.check)


if __name__ == "__main__":
    sys.exit(main())
