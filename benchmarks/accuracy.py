"""The table of accuracy in benchmarks/README.md, by recipe and protocol, and the published results of others.

    python benchmarks/accuracy.py RUN ...        read folders of `tinydnn train` and `tinydnn crossval`; write the table
    python benchmarks/accuracy.py --check        compare the table with the results

Runs that differ in their seed only become one row: the mean, the lowest and the highest accuracy. A cross-validation is
a row of its own, with its interval. The results are in `benchmarks/results/accuracy.json`.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

from readme import table_from_runs

# On all 3064 slices. The last column says where a figure comes from, if not from the publication itself.
PUBLISHED = (
    ("Hou and Zhang, transfer learning", "slice, 2451 and 613", "89.89", "the paper, with MATLAB"),
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
    """A row for each cross-validation, and for each group of runs that differ in their seed only."""
    rows, groups = [], defaultdict(list)
    for folder in folders:
        if (folder / "crossval.json").exists():
            report = json.loads((folder / "crossval.json").read_text())
            pooled = report["pooled"]
            row = make_row([pooled], report["recipe"] or report["model"], report["split"], f"{report['folds']} folds")
            low, high = pooled["accuracy_interval_95"]
            rows.append(row | {"low": low, "high": high, "range": f"95 % over {pooled['interval_over']}", "seeds": 1})
        else:
            options = json.loads((folder / "config.json").read_text())["options"]
            group = json.dumps({k: v for k, v in options.items() if k not in ("seed", "data")}, sort_keys=True)
            groups[group].append(json.loads((folder / "metrics.json").read_text()))
    for group, metrics in groups.items():
        options = json.loads(group)
        held_out = f"{options['test_fraction']:.0%} held out".replace("%", " %")
        row = make_row(metrics, options["recipe"] or options["model"], options["split"], held_out)
        if len(metrics) > 1:
            accuracies = [run["accuracy"] for run in metrics]
            low, high, kind = min(accuracies), max(accuracies), f"lowest and highest of {len(metrics)} seeds"
        else:
            low, high = metrics[0]["accuracy_interval_95"]
            kind = f"95 % over {metrics[0]['interval_over']}, one seed"
        rows.append(row | {"low": low, "high": high, "range": kind, "seeds": len(metrics)})
    return rows


def make_row(metrics: list[dict[str, Any]], recipe: str, split: str, protocol: str) -> dict[str, Any]:
    """The means of the metrics of one or several runs."""
    votes = [run["per_patient"]["mean_vote"] for run in metrics if run["per_patient"]]
    first = metrics[0]
    return {
        "recipe": recipe,
        "crop": first["crop"],
        "mask_used_at_test": first["mask_used_at_test"],
        "synthetic": first["synthetic"],
        "split": split,
        "protocol": protocol,
        "accuracy": fmean(run["accuracy"] for run in metrics),
        "per_patient": fmean(votes) if votes else None,
        "recall": {
            name: fmean(run["per_class"][name]["recall"] or 0.0 for run in metrics) for name in first["per_class"]
        },
        "slices": first["slices"],
        "patients": first["patients"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of tinydnn, then those of others."""
    names = ", ".join(rows[0]["recall"])
    lines = [
        f"| recipe | protocol | test | accuracy % over slices | range | patients correct % | recall %: {names} |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: (row["mask_used_at_test"], row["split"], row["protocol"], row["accuracy"])):
        recalls = ", ".join(f"{100 * recall:.1f}" for recall in row["recall"].values())
        crop = "" if row["crop"] == "none" else f", crop {row['crop']}"
        mask = " (mask used at test)" if row["mask_used_at_test"] else ""
        kind = "synthetic slices" if row["synthetic"] else "slices"
        # A vote means nothing for patients who are in the training set too.
        votes = "-" if row["per_patient"] is None or row["split"] == "slice" else f"{100 * row['per_patient']:.1f}"
        lines.append(
            f"| {row['recipe']}{crop}{mask} | {row['split']}, {row['protocol']} | {row['slices']} {kind} of "
            f"{row['patients']} patients | **{100 * row['accuracy']:.1f}** | {100 * row['low']:.1f} to "
            f"{100 * row['high']:.1f} ({row['range']}) | {votes} | {recalls} |"
        )
    lines += ["", "| published | protocol | accuracy % | source of the figure |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in PUBLISHED]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write results and table, or compare the table; return 1 if it differs."""
    return table_from_runs("accuracy", read=read, table=table, about=__doc__)


if __name__ == "__main__":
    sys.exit(main())
