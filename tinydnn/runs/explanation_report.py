"""The report on the explanations of a run: `explanations.json`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinydnn.explain.baselines import BASELINES
from tinydnn.explain.faithfulness import area_under_curve
from tinydnn.explain.sanity import STRONG
from tinydnn.metrics import bootstrap_interval
from tinydnn.runs.explaining import Explained, Slices
from tinydnn.runs.files import versions


def explanation_report(slices: Slices, explained: Sequence[Explained]) -> dict[str, Any]:
    """Scores, curves and sanity checks of each method, ready for JSON.

    Every score is a mean over slices with its 95 % interval, a bootstrap over patients; over slices where the patients
    are unknown, or are in training too. An empty group of slices has None for its scores. A group of one patient has
    None for its intervals, because nothing can be resampled.
    """
    dataset, options, units = slices.run.dataset, slices.run.options, _units(slices)
    return {
        "model": options.model,
        "recipe": options.recipe,
        "data": {"source": dataset.source, "content": dataset.content, "synthetic": dataset.synthetic},
        "class_names": list(dataset.class_names),
        "protocol": {
            "split": options.split,
            "fold": options.fold,
            "seed": options.seed,
            "size": dataset.size,
            "crop": str(dataset.crop),
            "mask_used_at_test": dataset.crop.uses_mask,
            "slices": len(slices),
            "patients": len(set(dataset.patients[slices.indices].tolist()) - {""}),
            "slices_without_mask": slices.without_mask,
            "explained_class": "predicted from one view",
            "accuracy": float((slices.predicted == slices.labels).mean()),
            "interval_over": "patients" if _by_patient(slices) else "slices",
        },
        "mask_share": slices.mask_share,
        "strong_correlation": STRONG,
        "methods": [_method(slices, one, units) for one in explained],
        "versions": versions(),
    }


def _method(slices: Slices, explained: Explained, units: np.ndarray) -> dict[str, Any]:
    method, positions, sanity = explained.method, explained.positions, explained.sanity
    labels, right = slices.labels[positions], (slices.predicted == slices.labels)[positions]

    def scores(inside: np.ndarray) -> dict[str, Any] | None:
        group = {name: values[inside] for name, values in explained.scores.items()}
        return _means(group, units[positions[inside]]) if inside.any() else None

    return {
        "name": method.name,
        "title": method.title,
        "baseline": method.name in BASELINES,
        "seconds_per_slice": explained.seconds / len(positions),
        "scores": {
            "all": scores(np.full(len(positions), True)),
            "by_class": {name: scores(labels == label) for label, name in enumerate(slices.run.dataset.class_names)},
            "right": scores(right),
            "wrong": scores(~right),
        },
        "faithfulness": _means(
            {name: area_under_curve(curves) for name, curves in explained.curves.items()},
            units[explained.curve_positions],
        )
        | {f"{name}_curve": curves.mean(axis=0).tolist() for name, curves in explained.curves.items()},
        "sanity": {
            "slices": explained.sanity_slices,
            "layers": list(sanity.layers),
            "correlations": list(sanity.correlations),
            "random_pair": sanity.random_pair,
            "verdict": sanity.verdict,
        },
    }


def _means(values: Mapping[str, np.ndarray], units: np.ndarray) -> dict[str, Any]:
    """The number of slices, and of each score the mean with its interval."""
    several = len(set(units.tolist())) > 1
    means = {
        name: {
            "mean": float(score.mean()),
            "interval_95": list(bootstrap_interval(score, units)) if several else None,
        }
        for name, score in values.items()
    }
    return {"slices": len(units), **means}


def _by_patient(slices: Slices) -> bool:
    known = (slices.run.dataset.patients[slices.indices] != "").all()
    return slices.run.options.split != "slice" and bool(known)


def _units(slices: Slices) -> np.ndarray:
    """What the bootstrap draws: the patient of each slice, or else the slice."""
    if _by_patient(slices):
        return slices.run.dataset.patients[slices.indices]
    return np.arange(len(slices)).astype(str)
