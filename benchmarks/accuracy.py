"""The README's table of accuracy, from run folders: recipe by protocol, beside the published figures.

    python benchmarks/accuracy.py RUN ...        read the folders of `tinydnn train` and `tinydnn crossval`, write both
    python benchmarks/accuracy.py --check        say whether the README has what the results give

Runs that differ in their seed alone become one line: the mean of their accuracies, and the lowest and the highest. A
cross-validation is a line by itself, with its interval. The results are kept in `benchmarks/results/accuracy.json`.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

from readme import from_folders

# Of the full set of 3064 slices. Where a figure was not read in the work itself, the last column says so.
PUBLISHED = (
    ("Hou and Zhang, transfer learning", "slice, 2451 and 613", "89.89", "the paper reproduced here"),
    ("always glioma", "", "46.5", "arithmetic"),
    ("Cheng 2015, region given, bag of words, SVM", "patient, 5 folds", "91.28", "second hand"),
    ("Abiwinanda 2019, small CNN", "slice", "84.19", "second hand"),
    ("Afshar 2018, capsules, 64 × 64", "folds", "86.56", "second hand"),
    ("Pashaei 2018, four convolutions, ELM", "slice", "93.68", "second hand"),
    ("Swati 2019, VGG19 fine-tuned", "patient, 5 folds", "94.82", "second hand"),
    ("Badža 2020, small CNN", "slice, 10 folds", "96.56", "second hand"),
    ("Badža 2020, small CNN", "patient, 10 folds", "88.48", "from memory"),
    ("Deepak and Ameer 2019, GoogLeNet, SVM", "patient, 5 folds", "98", "abstract"),
    ("Rehman 2020, VGG16 fine-tuned", "slice", "98.69", "second hand"),
)


def read(folders: list[Path]) -> list[dict[str, Any]]:
    """A row for each cross-validation, and for all runs together that differ in nothing but their seed."""
    rows, alike = [], defaultdict(list)
    for folder in folders:
        if (folder / "crossval.json").exists():
            report = json.loads((folder / "crossval.json").read_text())
            shown = report["pooled"]
            row = row_of([shown], report["recipe"] or report["model"], report["split"], f"{report['folds']} folds")
            low, high = shown["accuracy_interval_95"]
            rows.append(row | {"low": low, "high": high, "range": f"95 % over {shown['interval_over']}", "seeds": 1})
        else:
            options = json.loads((folder / "config.json").read_text())["options"]
            seed = options.pop("seed")
            options.pop("data")
            metrics = json.loads((folder / "metrics.json").read_text())
            alike[json.dumps(options, sort_keys=True)].append((seed, metrics))
    for text, found in alike.items():
        options, shown = json.loads(text), [metrics for _, metrics in found]
        held_out = f"{options['test_fraction']:.0%} held out".replace("%", " %")
        row = row_of(shown, options["recipe"] or options["model"], options["split"], held_out)
        if len(shown) > 1:
            accuracies = [metrics["accuracy"] for metrics in shown]
            low, high, what = min(accuracies), max(accuracies), f"lowest and highest of {len(shown)} seeds"
        else:
            (low, high), what = shown[0]["accuracy_interval_95"], f"95 % over {shown[0]['interval_over']}, one seed"
        rows.append(row | {"low": low, "high": high, "range": what, "seeds": len(shown)})
    return rows


def row_of(shown: list[dict[str, Any]], recipe: str, split: str, protocol: str) -> dict[str, Any]:
    """What the table says of one or several sets of figures: their means."""
    votes = [one["per_patient"]["mean_vote"] for one in shown if one["per_patient"]]
    return {
        "recipe": recipe,
        "crop": shown[0]["crop"],
        "mask_used_at_test": shown[0]["mask_used_at_test"],
        "synthetic": shown[0]["synthetic"],
        "split": split,
        "protocol": protocol,
        "accuracy": fmean(one["accuracy"] for one in shown),
        "per_patient": fmean(votes) if votes else None,
        "recall": {
            name: fmean(one["per_class"][name]["recall"] or 0.0 for one in shown) for name in shown[0]["per_class"]
        },
        "slices": shown[0]["slices"],
        "patients": shown[0]["patients"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Our lines and the published ones."""
    names = ", ".join(rows[0]["recall"])
    lines = [
        f"| recipe | protocol | test | accuracy % over slices | range | patients right by vote % | recall %: {names} |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: (row["mask_used_at_test"], row["split"], row["protocol"], row["accuracy"])):
        recalls = ", ".join(f"{100 * recall:.1f}" for recall in row["recall"].values())
        crop = "" if row["crop"] == "none" else f", crop {row['crop']}"
        mask = " (mask used at test)" if row["mask_used_at_test"] else ""
        kind = "synthetic slices" if row["synthetic"] else "slices"
        # A patient who is in training too is no new one: a vote says nothing there.
        votes = "-" if row["per_patient"] is None or row["split"] == "slice" else f"{100 * row['per_patient']:.1f}"
        lines.append(
            f"| {row['recipe']}{crop}{mask} | {row['split']}, {row['protocol']} | {row['slices']} {kind} of "
            f"{row['patients']} patients | **{100 * row['accuracy']:.1f}** | {100 * row['low']:.1f} to "
            f"{100 * row['high']:.1f} ({row['range']}) | {votes} | {recalls} |"
        )
    lines += ["", "| published | protocol | accuracy % | how sure |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in PUBLISHED]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write results and table, or compare the table; 1 where they differ."""
    return from_folders("accuracy", read=read, table=table, about=__doc__)


if __name__ == "__main__":
    sys.exit(main())
