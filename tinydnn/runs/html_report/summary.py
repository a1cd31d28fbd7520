"""The headline: the accuracy with its interval, and what it applies to."""

from collections.abc import Iterator
from typing import Any

from tinydnn.runs.evaluation import MASK_NOTE
from tinydnn.runs.html_report.page import NARROW, percent, percent_interval
from tinydnn.runs.html_report.results import Results
from tinydnn.runs.html_report.section import Section
from tinydnn.words import count


def summary(results: Results) -> Section:
    """The headline of a run, with plain sentences on patients who are in training too."""
    metrics = results.metrics
    return Section(
        "summary",
        "Result",
        {
            "accuracy": metrics["accuracy"],
            "interval": metrics["accuracy_interval_95"],
            "over": metrics["interval_over"],
            "sentences": [accuracy_sentence(metrics), *_sentences(metrics)],
        },
    )


def accuracy_sentence(metrics: dict[str, Any]) -> str:
    """What the accuracy counts."""
    slices = count(metrics["slices"], "synthetic slice" if metrics["synthetic"] else "slice")
    patients = f" of {count(metrics['patients'], 'patient')}" if metrics["patients"] else ""
    right = sum(row[k] for k, row in enumerate(metrics["confusion_matrix"]))
    return f"{right} of {slices}{patients} in the test set {'is' if right == 1 else 'are'} classified correctly."


def leakage_sentence(protocol: dict[str, Any]) -> str:
    """Whether the test slices show patients who are in training too."""
    shared, total = protocol["test_slices_with_patient_in_training"], protocol["test_slices"]
    if shared is None:
        return "The patients of the test slices are unknown, so they may be in training too, which would inflate this."
    if not shared:
        return "No patient of the test set was used to train the network or to select its epoch."
    return (
        f"{shared} of {total} test slices ({percent(shared / total)}) show a patient who is in training too. Slices of "
        "a patient are alike, so the accuracy does not apply to new patients."
    )


def _sentences(metrics: dict[str, Any]) -> Iterator[str]:
    yield leakage_sentence(metrics["protocol"])
    if metrics["interval_over"] == "slices":
        yield "The interval treats the slices as independent; those of a patient are not, so it is too narrow."
    if votes := metrics["per_patient"]:
        yield (
            f"A vote of their slices, by mean probability, classifies {percent(votes['mean_vote'])} of the "
            f"{count(votes['patients'], 'patient')} correctly (95{NARROW}% interval "
            f"{percent_interval(votes['mean_vote_interval_95'])})."
        )
    if metrics["synthetic"]:
        yield "The slices are phantoms, drawn by a program: the figures say nothing about images of patients."
    if metrics["mask_used_at_test"]:
        yield MASK_NOTE
