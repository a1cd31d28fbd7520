"""The table of transfer learning in benchmarks/README.md: the network, the layers trained, and the accuracy.

    python benchmarks/transfer.py RUN ...        read folders of `tinydnn finetune` and of its folds; write the table
    python benchmarks/transfer.py --check        compare the table with the results

The results are in `benchmarks/results/transfer.json`.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from readme import table_from_runs

NAMES = {"vgg16": "VGG-16", "alexnet": "AlexNet", "squeezenet1_1": "SqueezeNet 1.1"}


OMITTED = ("data", "weights", "fold", "device", "skip_broken", "recipe")  # options that the results leave out


def read(folders: list[Path]) -> list[dict[str, Any]]:
    """A row for each folder."""
    return [read_run(folder) for folder in folders]


def read_run(folder: Path) -> dict[str, Any]:
    """The results of a run, or those of a cross-validation with the phases of its first fold."""
    in_folds = (folder / "crossval.json").exists()
    run = folder / "fold-01" if in_folds else folder
    options = json.loads((run / "config.json").read_text())["options"]
    metrics = json.loads((run / "metrics.json").read_text())
    results = json.loads((folder / "crossval.json").read_text())["pooled"] if in_folds else metrics
    return {
        "options": {name: value for name, value in options.items() if name not in OMITTED},
        "weights": "random" if options["weights"] == "random" else "ImageNet",
        "folds": options["folds"] if in_folds else None,
        "accuracy": results["accuracy"],
        "interval": results["accuracy_interval_95"],
        "interval_over": results["interval_over"],
        "slices": results["slices"],
        "patients": results["patients"],
        "patients_right": results["per_patient"]["mean_vote"],
        "phases": metrics["phases"],
        "feature_seconds": metrics["feature_seconds"],
    }


def trained_layers(phase: dict[str, Any]) -> str:
    """The layers that are trained in a phase."""
    if phase["frozen_to"] is None:
        return "all"
    return "the head" if phase["frozen_to"] == "features" else f"all after {phase['frozen_to']}"


def line(row: dict[str, Any]) -> str:
    """A line of the table."""
    options, phases = row["options"], row["phases"]
    starts = [*(phase["first_epoch"] for phase in phases), options["epochs"] + 1]
    trained = ", then ".join(
        f"{trained_layers(phase)}, {end - begin} epochs"
        for phase, (begin, end) in zip(phases, pairwise(starts), strict=True)
    )
    network = NAMES[options["model"]] + (", random weights" if row["weights"] == "random" else "")
    network += f", {options['size']} pixels"
    network += "" if options["crop"] == "none" else f", crop {options['crop']}"
    held_out = (
        f"{row['folds']} folds" if row["folds"] else f"{options['test_fraction']:.0%} held out".replace("%", " %")
    )
    low, high = (100 * limit for limit in row["interval"])
    votes = "-" if options["split"] == "slice" else f"{100 * row['patients_right']:.1f}"
    seconds = " + ".join(f"{phase['training_seconds']:.0f}" for phase in phases)
    return (
        f"| {network} | {trained} | {options['split']}, {held_out} | {row['slices']} slices of "
        f"{row['patients']} patients | **{100 * row['accuracy']:.1f}** | {low:.1f} to {high:.1f} "
        f"({row['interval_over']}) | {votes} | {seconds} |"
    )


def table(rows: list[dict[str, Any]]) -> str:
    """The whole table."""
    lines = [
        "| network | trained layers | protocol | test | accuracy % | 95 % interval | patients correct % | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(line, rows)]) + "\n"


def main() -> int:
    """Write results and table, or compare the table; return 1 if it differs."""
    return table_from_runs("transfer", read=read, table=table, about=__doc__)


if __name__ == "__main__":
    sys.exit(main())
