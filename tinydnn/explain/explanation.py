"""The explanation of one image: what each method finds relevant in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinydnn.backend import Array, array_module, to_device
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
        """Row and column of the most relevant pixel, from 0; None if no pixel is relevant."""
        row, column = np.unravel_index(self.relevance.argmax(), self.relevance.shape)
        return (int(row), int(column)) if self.relevance[row, column] > 0 else None

    def share_inside(self, mask: np.ndarray) -> float | None:
        """The share of the relevance inside a mask (H, W) bool, Σ_{mask} r / Σ r; None if no pixel is relevant."""
        total = float(self.relevance.sum(dtype=np.float64))
        return float(self.relevance[mask].sum(dtype=np.float64)) / total if total > 0 else None


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
        findings.append(Finding(method.name, method.title, to_device(method.relevance(attributions)[0], "cpu")))
    return findings
