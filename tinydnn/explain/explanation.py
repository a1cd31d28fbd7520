"""The explanation of one image: what each method finds relevant in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tinydnn.backend import Array, array_module, to_device
from tinydnn.explain.integrated_gradients import completeness_error
from tinydnn.explain.mask_scores import energy_inside
from tinydnn.explain.method import Method
from tinydnn.layers import Sequential


@dataclass(frozen=True, eq=False)
class Finding:
    """What a method finds relevant in an image.

    name, title: of the method. relevance: (H, W), numbers from 0. note: what the method says about its own error; "" if
    nothing.
    """

    name: str
    title: str
    relevance: np.ndarray
    note: str = ""

    @property
    def maximum(self) -> tuple[int, int] | None:
        """Row and column of the most relevant pixel, from 0; None if no pixel is relevant.

        Of several pixels, such as those that occlusion covers together, it is the one nearest to their centre.
        """
        highest = self.relevance.max()
        if not highest > 0:
            return None
        places = np.argwhere(self.relevance == highest)
        row, column = places[((places - places.mean(axis=0)) ** 2).sum(axis=1).argmin()].tolist()
        return row, column

    def share_inside(self, mask: np.ndarray) -> float | None:
        """The `energy_inside` of a mask (H, W) bool, which has a pixel; None if no pixel is relevant."""
        return None if self.maximum is None else float(energy_inside(self.relevance[None], mask[None])[0])


def explain_image(
    model: Sequential, x: Array, label: int, methods: Sequence[Method], *, layer: str | None = None
) -> list[Finding]:
    """Why the model gives an image (1, C, H, W), normalised, the score of class `label`: a finding of each method.

    layer: for the methods that take one; None for their default.
    """
    classes = array_module(x).full(1, label)
    findings = []
    for method in methods:
        options = {"layer": layer} if method.takes_layer else {}
        attributions = method.attribute(model, x, classes, **options)
        relevance = to_device(method.relevance(attributions)[0], "cpu")
        note = NOTES[method.name](model, x, classes, attributions) if method.name in NOTES else ""
        findings.append(Finding(method.name, method.title, relevance, note))
    return findings


def _completeness(model: Sequential, x: Array, classes: Array, attributions: Array) -> str:
    """How near integrated gradients come to the change of the score, to which they should sum."""
    error = float(completeness_error(model, x, classes, attributions)[0])
    total = float(attributions.sum())
    return f"sum {total:.4g}, change of the score {total - error:.4g}, error of completeness {error:.2g}"


# What a method says about its own error, by name: a function of the model, x, the classes and the attributions.
NOTES: dict[str, Callable[[Sequential, Array, Array, Array], str]] = {"integrated-gradients": _completeness}
