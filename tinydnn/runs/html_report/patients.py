"""Results by patient: who is got wrong."""

from typing import Any

import numpy as np

from tinydnn.runs.html_report.results import Results
from tinydnn.runs.html_report.section import Section

SHOWN = 12  # patients; the others are folded away


def patients(results: Results) -> Section:
    """The patients of the test set, those with the smallest share of correct slices first."""
    names = results.class_names
    ids = [patient for patient in np.unique(results.patients) if patient]
    rows = sorted((_row(results, patient, names) for patient in ids), key=lambda row: (row["share"], -row["slices"]))
    unknown = int((results.patients == "").sum())
    return Section(
        "patients",
        "Results by patient",
        {
            "worst": rows[:SHOWN],
            "others": rows[SHOWN:],
            "total": len(rows),
            "perfect": sum(row["share"] == 1 for row in rows),
            "failed": sum(row["share"] == 0 for row in rows),
            "unknown": unknown,
        },
    )


def _row(results: Results, patient: str, names: list[str]) -> dict[str, Any]:
    mine = results.patients == patient
    right = int(results.correct[mine].sum())
    guesses = np.bincount(results.guesses[mine], minlength=len(names))
    return {
        "patient": str(patient),
        "true": ", ".join(names[k] for k in np.unique(results.labels[mine])),
        "guesses": ", ".join(f"{names[k]} {guesses[k]}" for k in np.argsort(-guesses, kind="stable") if guesses[k]),
        "right": right,
        "slices": int(mine.sum()),
        "share": right / int(mine.sum()),
    }
