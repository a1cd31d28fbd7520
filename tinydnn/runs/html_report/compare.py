"""Runs side by side: whether they can be compared, and how they differ."""

from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import numpy as np

from tinydnn.errors import InputError
from tinydnn.metrics import difference_interval
from tinydnn.runs.html_report import overlays
from tinydnn.runs.html_report.page import render
from tinydnn.runs.html_report.protocol import differing_options, machine_rows, protocol_rows
from tinydnn.runs.html_report.results import Results, read_results
from tinydnn.runs.html_report.section import Section
from tinydnn.runs.html_report.summary import leakage_sentence
from tinydnn.storage import atomic_write


def write_comparison(folders: Sequence[Path], path: Path) -> None:
    """Write a page that compares finished runs to `path`, atomically; no data is needed.

    Raises `InputError` unless there are 2 to 26 runs of the same classes.
    """
    if not 2 <= len(folders) <= len(ascii_uppercase):
        raise InputError(f"expected 2 to {len(ascii_uppercase)} runs to compare, found {len(folders)}")
    runs = dict(zip(ascii_uppercase, map(read_results, folders), strict=False))
    first = runs["A"]
    for results in runs.values():
        if results.class_names != first.class_names:
            raise InputError(
                f"{results.folder}: expected a run of the classes {', '.join(first.class_names)}, "
                f"found {', '.join(results.class_names)}"
            )
    names = ", ".join(f"{letter}: {results.name}" for letter, results in runs.items())
    sections = [_results(runs), _paired(runs), overlays.training(runs), _recall(runs), overlays.ranking(runs)]
    with atomic_write(path) as temporary:
        page = render("Comparison of runs", names, [*sections, _protocols(runs)])
        temporary.write_text(page, encoding="utf-8", errors="replace")


def same_test(first: Results, second: Results) -> bool:
    """Whether both runs were tested on the same slices of the same data."""
    same_data = first.config["data"]["content"] == second.config["data"]["content"]
    slices = [
        sorted(zip(results.predictions.indices.tolist(), results.predictions.files, strict=True))
        for results in (first, second)
    ]
    return bool(same_data) and slices[0] == slices[1]


def paired_difference(first: Results, second: Results) -> dict[str, Any]:
    """The difference of the accuracies of two runs on the same slices, second minus first, with its 95 % interval.

        d[n] = [second right on n] − [first right on n],    difference = Σ_n d[n] / N

    The interval is a cluster bootstrap of d over patients, as for the accuracy; over slices if any patient is unknown.
    """
    order, other = (np.argsort(results.predictions.indices) for results in (first, second))
    before, after = first.correct[order], second.correct[other]
    known = bool((first.patients != "").all())
    units = first.patients[order] if known else np.arange(len(order)).astype(str)
    d = after.astype(float) - before
    return {
        "both": int((before & after).sum()),
        "first": int((before & ~after).sum()),
        "second": int((~before & after).sum()),
        "neither": int((~before & ~after).sum()),
        "difference": float(d.mean()),
        "interval": difference_interval(d, units),
        "over": "patients" if known else "slices",
    }


def _results(runs: dict[str, Results]) -> Section:
    rows = [
        {"letter": letter, "name": results.name, **results.metrics, "split": results.metrics["protocol"]["split"]}
        for letter, results in runs.items()
    ]
    sentences = {letter: leakage_sentence(results.metrics["protocol"]) for letter, results in runs.items()}
    notes = {
        ", ".join(letter for letter in sentences if sentences[letter] == sentence): sentence
        for sentence in dict.fromkeys(sentences.values())
    }
    plot, warning = overlays.accuracies(runs), _warning(runs)
    return Section("results", "Results", {"rows": rows, "plot": plot, "notes": notes, "warning": warning})


def _warning(runs: dict[str, Results]) -> str:
    """Why the figures cannot be compared; empty if they can."""
    first = runs["A"]
    other = [letter for letter, results in runs.items() if not same_test(first, results)]
    if not other:
        return ""
    letters = ", ".join(other)
    data = any(runs[letter].config["data"]["content"] != first.config["data"]["content"] for letter in other)
    split = any(runs[letter].metrics["protocol"]["split"] != first.metrics["protocol"]["split"] for letter in other)
    reason = "on other data" if data else "by another kind of split" if split else "on other slices"
    return (
        f"Not tested on the same slices: {letters}, {reason} than A. Their figures differ for this reason too, and say "
        "little about which network is better."
    )


def _paired(runs: dict[str, Results]) -> Section:
    """Every run against the first, where both were tested on the same slices."""
    first, *others = runs.items()
    rows = [
        {"pair": f"{letter} − {first[0]}", **paired_difference(first[1], results)}
        for letter, results in others
        if same_test(first[1], results)
    ]
    left_out = [letter for letter, results in others if not same_test(first[1], results)]
    return Section("paired", "Slice by slice", {"rows": rows, "left_out": ", ".join(left_out)})


def _recall(runs: dict[str, Results]) -> Section:
    names = runs["A"].class_names
    rows = {
        letter: [results.metrics["per_class"][name]["recall"] for name in names] for letter, results in runs.items()
    }
    return Section("recall", "Recall by class", {"names": names, "rows": rows})


def _protocols(runs: dict[str, Results]) -> Section:
    """The rows of every protocol; `differs` says in which of them the runs differ."""
    columns = [
        protocol_rows(results) | machine_rows(results) | options
        for results, options in zip(runs.values(), differing_options(list(runs.values())), strict=True)
    ]
    names = dict.fromkeys(name for column in columns for name in column)
    table = {name: [column.get(name, "–") for column in columns] for name in names}
    rows = [(name, values, len(set(values)) > 1) for name, values in table.items()]
    return Section("protocols", "Protocols", {"letters": list(runs), "rows": rows})
