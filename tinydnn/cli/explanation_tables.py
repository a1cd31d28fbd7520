"""The tables of `tinydnn explain evaluate`."""

from collections.abc import Sequence
from typing import Any

from tinydnn.cli.display import say
from tinydnn.runs.explanation_files import describe, mask_notes

Entry = dict[str, Any]


def print_explanations(report: Entry) -> None:
    """Print the scores of each method, its energy inside the mask by group of slices, and its checks."""
    from tinydnn.explain.mask_scores import MASK_SCORES

    methods, protocol = report["methods"], report["protocol"]
    say(describe(report))
    say(
        f"The predicted class is explained; the masks cover {100 * report['mask_share']:.1f} % of the pixels. "
        f"In brackets 95 % intervals over {protocol['interval_over']}.{mask_notes(report)}"
    )
    if protocol["slices_without_mask"]:
        say(f"Left out: {protocol['slices_without_mask']} test slices whose mask has no pixel")
    few = [f"{one['title']}: {one['scores']['all']['slices']}" for one in methods if _on_subset(one, report)]
    say("\nDo explanations find the tumour? Means over slices, %" + (f" ({', '.join(few)} slices)" if few else ""))
    _print(
        [score.title for score in MASK_SCORES],
        [[_mean(entry["scores"]["all"], score.name) for score in MASK_SCORES] for entry in methods],
        methods,
    )
    say("\nEnergy inside the mask, by class of the tumour and by the network's answer, %")
    whole = next(entry for entry in methods if not _on_subset(entry, report))
    sizes = {**whole["scores"]["by_class"], **_answers(whole)}
    numbers = (f"{name} {group['slices'] if group else 0}" for name, group in sizes.items())
    say(f"Slices: {', '.join(numbers)}")
    groups = [{**entry["scores"]["by_class"], **_answers(entry)} for entry in methods]
    _print(list(groups[0]), [[_mean(group, "energy_inside") for group in row.values()] for row in groups], methods)
    say(
        f"\nAreas below deletion (small is faithful) and insertion curves (large is faithful), %, on "
        f"{methods[0]['faithfulness']['slices']} slices;"
    )
    say(
        f"rank correlation with the maps of networks whose last layer, or all, are random, which fails from "
        f"{report['strong_correlation']} on, and between two random ones; cost"
    )
    _print(
        ["deletion", "insertion", "last random", "all random", "two random", "sanity", "s/slice"],
        [
            [
                *(_mean(entry["faithfulness"], name) for name in ("deletion", "insertion")),
                f"{entry['sanity']['correlations'][0]:.2f}",
                f"{entry['sanity']['correlations'][-1]:.2f}",
                f"{entry['sanity']['random_pair']:.2f}",
                entry["sanity"]["verdict"],
                f"{entry['seconds_per_slice']:.3f}",
            ]
            for entry in methods
        ],
        methods,
    )


def _on_subset(entry: Entry, report: Entry) -> bool:
    return bool(entry["scores"]["all"]["slices"] < report["protocol"]["slices"])


def _answers(entry: Entry) -> Entry:
    return {f"{answer} answers": entry["scores"][answer] for answer in ("right", "wrong")}


def _print(columns: Sequence[str], rows: Sequence[Sequence[str]], methods: Sequence[Entry]) -> None:
    """A row for each method, and the baselines below; not cut off on a narrow terminal."""
    lines = [("method", *columns), *((entry["title"], *row) for entry, row in zip(methods, rows, strict=True))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    first_baseline = 1 + [entry["baseline"] for entry in methods].index(True)
    for number, (title, *cells) in enumerate(lines):
        if number == first_baseline:
            say("baselines:")
        say("  ".join([title.ljust(widths[0]), *map(str.rjust, cells, widths[1:])]))


def _mean(scores: Entry | None, name: str) -> str:
    """The mean with its interval, if it has one, in percent."""
    if scores is None:
        return "-"
    interval = scores[name]["interval_95"]
    bounds = "-" if interval is None else "-".join(f"{100 * bound:.0f}" for bound in interval)
    return f"{100 * scores[name]['mean']:.1f} ({bounds})"
