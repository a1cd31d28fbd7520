"""The README's table of transfer learning, from run folders: which network, what of it learned, how good it is.

    python benchmarks/transfer.py RUN ...        read folders of `tinydnn finetune` and of its folds, write both
    python benchmarks/transfer.py --check        say whether the README has what the results give

The results are kept in `benchmarks/results/transfer.json`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from readme import from_folders

NAMES = {"vgg16": "VGG-16", "alexnet": "AlexNet", "squeezenet1_1": "SqueezeNet 1.1"}


def read(folders: list[Path]) -> list[dict[str, Any]]:
    """A row for each folder."""
    return [row(folder) for folder in folders]


def row(folder: Path) -> dict[str, Any]:
    """A row for a run, or for a cross-validation as a whole."""
    in_folds = (folder / "crossval.json").exists()
    one = folder / "fold-01" if in_folds else folder
    options = json.loads((one / "config.json").read_text())["options"]
    metrics = json.loads((one / "metrics.json").read_text())
    found = json.loads((folder / "crossval.json").read_text())["pooled"] if in_folds else metrics
    left_out = ("data", "weights", "fold", "device", "skip_broken", "recipe")
    return {
        "options": {name: value for name, value in options.items() if name not in left_out},
        "weights": "random" if options["weights"] == "random" else "ImageNet",
        "folds": options["folds"] if in_folds else None,
        "accuracy": found["accuracy"],
        "interval": found["accuracy_interval_95"],
        "interval_over": found["interval_over"],
        "slices": found["slices"],
        "patients": found["patients"],
        "patients_right": found["per_patient"]["mean_vote"],
        "phases": metrics["phases"],
        "feature_seconds": metrics["feature_seconds"],
    }


def learned(phase: dict[str, Any]) -> str:
    """What learns in a phase."""
    if phase["frozen_to"] is None:
        return "all"
    return "the head" if phase["frozen_to"] == "features" else f"all after {phase['frozen_to']}"


def row_of(one: dict[str, Any]) -> str:
    """A line of the table."""
    options = one["options"]
    firsts = [phase["first_epoch"] for phase in one["phases"]]
    ends = [*(first - 1 for first in firsts[1:]), options["epochs"]]
    phases = zip(one["phases"], firsts, ends, strict=True)
    shown = [(learned(phase), end - first + 1, phase["training_seconds"]) for phase, first, end in phases]
    what = ", then ".join(f"{name}, {epochs} epochs" for name, epochs, _ in shown)
    network = NAMES[options["model"]] + (", random weights" if one["weights"] == "random" else "")
    network += f", {options['size']} pixels"
    network += "" if options["crop"] == "none" else f", crop {options['crop']}"
    held_out = (
        f"{one['folds']} folds" if one["folds"] else f"{options['test_fraction']:.0%} held out".replace("%", " %")
    )
    low, high = (100 * limit for limit in one["interval"])
    votes = "-" if options["split"] == "slice" else f"{100 * one['patients_right']:.1f}"
    return (
        f"| {network} | {what} | {options['split']}, {held_out} | {one['slices']} slices of "
        f"{one['patients']} patients | **{100 * one['accuracy']:.1f}** | {low:.1f} to {high:.1f} "
        f"({one['interval_over']}) | {votes} | {' + '.join(f'{seconds:.0f}' for _, _, seconds in shown)} |"
    )


def table(rows: list[dict[str, Any]]) -> str:
    """All lines, networks and splits together."""
    lines = [
        "| network | what learns | protocol | test | accuracy % over slices | 95 % over | patients right % | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(row_of, rows)]) + "\n"


def main() -> int:
    """Write results and table, or compare the table; 1 where they differ."""
    return from_folders("transfer", read=read, table=table, about=__doc__)


if __name__ == "__main__":
    sys.exit(main())
