"""The worst mistakes and the least certain right answers, each with what the network looked at."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinydnn.backend import Array, to_device
from tinydnn.checkpoint import SavedModel
from tinydnn.data.dataset import Dataset
from tinydnn.explain import find_method
from tinydnn.runs.html_report.pictures import heat_picture, slice_picture
from tinydnn.runs.html_report.results import Results
from tinydnn.runs.html_report.section import Section

MISTAKES, UNCERTAIN = 12, 6  # slices
PER_PATIENT = 2  # slices: those of a patient are alike
METHOD = find_method("grad-cam")


@dataclass(frozen=True, eq=False)
class Images:
    """What pictures and features are computed from: the model of a run, the slices, and the device."""

    saved: SavedModel
    dataset: Dataset
    device: str = "cpu"

    def read(self, indices: Array) -> Array:
        """Normalised images (N, C, H, W) on the device."""
        return self.saved.normalise(to_device(self.dataset.read(indices), self.device))


def gallery(results: Results, images: Images | None, absent: str = "") -> Section:
    """The two groups of slices. images: None, for the reason `absent`, if there are none to show."""
    groups = [
        ("The worst mistakes", "wrong answers, those of the largest probability first", worst_mistakes(results)),
        (
            "The least certain right answers",
            "right answers, those of the smallest probability first",
            least_certain(results),
        ),
    ]
    shown = [n for *_, rows in groups for n in rows]
    maps, reason = (None, absent) if images is None else _maps(results, images, shown)
    cards = [(title, order, [_card(results, images, maps, n) for n in rows]) for title, order, rows in groups]
    return Section(
        "gallery",
        "Slices to look at",
        {
            "groups": cards,
            "reason": reason,
            "pictures": images is not None,
            "heat": maps is not None,
            "method": METHOD.title,
            "masks": images is not None and images.dataset.masks is not None,
            "per_patient": PER_PATIENT,
        },
    )


def worst_mistakes(results: Results) -> list[int]:
    """The wrong answers of the largest probability."""
    return _first(results, np.flatnonzero(~results.correct), -results.probabilities.max(axis=1), MISTAKES)


def least_certain(results: Results) -> list[int]:
    """The right answers of the smallest probability."""
    return _first(results, np.flatnonzero(results.correct), results.probabilities.max(axis=1), UNCERTAIN)


def _first(results: Results, rows: Array, keys: Array, most: int) -> list[int]:
    """The rows of the smallest keys, with few of any one patient."""
    chosen: list[int] = []
    for n in rows[np.argsort(keys[rows], kind="stable")].tolist():
        patient = results.patients[n]
        if len(chosen) < most and (not patient or sum(results.patients[m] == patient for m in chosen) < PER_PATIENT):
            chosen.append(n)
    return chosen


def _maps(results: Results, images: Images, rows: list[int]) -> tuple[dict[int, Array] | None, str]:
    """The relevance of the predicted class by row, or None and the reason why there is none."""
    model = images.saved.model
    if not METHOD.supports(model):
        return None, f"{METHOD.title} does not explain this network, so the slices are shown alone."
    if not rows:
        return None, ""
    x = images.read(results.predictions.indices[rows])
    maps = METHOD.maps(model, x, to_device(results.guesses[rows], images.device))
    return dict(zip(rows, to_device(maps, "cpu"), strict=True)), ""


def _card(results: Results, images: Images | None, maps: dict[int, Array] | None, n: int) -> dict[str, Any]:
    names, p = results.class_names, results.probabilities[n]
    card = {
        "true": names[results.labels[n]],
        "guess": names[results.guesses[n]],
        "probability": float(p.max()),
        "true_probability": float(p[results.labels[n]]),
        "right": bool(results.correct[n]),
        "patient": str(results.patients[n]),
        "file": results.predictions.files[n] or f"slice {results.predictions.indices[n]}",
        "picture": None,
        "heat": None,
    }
    if images is not None:
        index = results.predictions.indices[n : n + 1]
        image = images.dataset.read(index)[0, 0]
        mask = None if images.dataset.masks is None else images.dataset.read_masks(index)[0]
        card["picture"] = slice_picture(image, mask)
        if maps is not None:
            card["heat"] = heat_picture(image, mask, maps[n])
    return card
