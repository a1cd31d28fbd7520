"""Output of the commands: lines, and tables of metrics."""

import os
from typing import Any

from rich.console import Console
from rich.table import Table

from tinydnn.data.dataset import Dataset
from tinydnn.runs.evaluation import MASK_NOTE
from tinydnn.words import count


def make_console() -> Console:
    """The console of all commands. It is live on a terminal, except in the cell of a notebook.

    There, `!tinydnn …` writes to a terminal whose output does not understand cursor movements. Jupyter sets
    JPY_PARENT_PID for its kernels and what they start, but not for the terminals in the browser.
    """
    return Console(highlight=False, force_terminal=False if "JPY_PARENT_PID" in os.environ else None)


console = make_console()


def say(text: str) -> None:
    """Print a line verbatim: without Rich markup or wrapping."""
    console.print(text, markup=False, soft_wrap=True)


def describe(dataset: Dataset) -> str:
    """The number of slices, patients and PIDs, and whether the slices are synthetic."""
    patients, pids = dataset.patient_count, dataset.pid_count
    known = f" of {count(patients, 'patient')}" if patients else ", patients unknown"
    if pids not in (None, patients):
        known += f" ({pids} PIDs; those that differ only in a final letter are one patient)"
    return f"{count(len(dataset), _slice(dataset.synthetic))}{known}"


def say_skipped(dataset: Dataset) -> None:
    """Print a line for each broken file that was skipped."""
    for name, reason in dataset.skipped:
        say(f"Left out: {name}: {reason}")


def print_metrics(metrics: dict[str, Any]) -> None:
    """Print the metrics of an evaluation as a table."""
    table = Table(box=None, pad_edge=False)
    for column in ("class", "precision", "recall", "F1", "slices"):
        table.add_column(column, justify="left" if column == "class" else "right")
    rows = {**metrics["per_class"], "macro average": {**metrics["macro"], "support": metrics["slices"]}}
    for name, row in rows.items():
        shares = [_percent(row[key]) for key in ("precision", "recall", "f1")]
        table.add_row(name, *shares, str(row["support"]))
    console.print(table)
    slices = count(metrics["slices"], _slice(metrics["synthetic"]))
    patients = f" of {count(metrics['patients'], 'patient')}" if metrics["patients"] else ""
    patients += "" if metrics["pids"] in (None, metrics["patients"]) else f" with {metrics['pids']} PIDs"
    over = " over patients" if metrics["interval_over"] == "patients" else ""
    say(
        f"accuracy {metrics['accuracy']:.2%} on {slices}{patients} ({_interval(metrics['accuracy_interval_95'])}{over})"
    )
    if votes := metrics["per_patient"]:
        say(
            f"patients classified correctly by a vote of their slices: {votes['mean_vote']:.1%} by mean probability "
            f"({_interval(votes['mean_vote_interval_95'])}), {votes['majority_vote']:.1%} by majority"
        )
    if metrics["loss"] is not None:
        say(f"loss {metrics['loss']:.4f}")
    if metrics["mask_used_at_test"]:
        say(MASK_NOTE)


def _slice(synthetic: bool) -> str:
    return "synthetic slice" if synthetic else "slice"


def _interval(bounds: list[float]) -> str:
    return f"95 % interval {bounds[0]:.1%} to {bounds[1]:.1%}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
