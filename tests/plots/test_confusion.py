"""Confusion matrix plot: all of its text fits, and its margins show precision, recall and accuracy."""

from typing import Any

import numpy as np
import pytest
from legibility import draw, problems

from tinydnn import plots

NAMES = ["meningioma", "glioma", "pituitary"]
MATRIX = [[112, 25, 5], [14, 265, 6], [4, 8, 174]]
LONG_NAMES = ["choroid_plexus_papilloma_" * 4, "diffuse intrinsic pontine glioma of childhood", "x" * 17]
MATRICES = {
    "typical": (MATRIX, NAMES),
    "two classes": ([[812, 13], [0, 40]], ["no tumour", "tumour"]),
    "ten classes": (np.eye(10, dtype=int) * 1234 + 5, list("0123456789")),
    "long names": (MATRIX, LONG_NAMES),
    "ten long names": (np.eye(10, dtype=int), [f"{name} {k}" for k, name in enumerate(LONG_NAMES * 3 + ["y"])]),
    "large counts": (np.array(MATRIX) * 10**6, NAMES),
    "one class predicted": ([[0, 142, 0], [0, 285, 0], [0, 186, 0]], NAMES),
    "one class absent": ([[3, 1, 0], [0, 0, 0], [0, 0, 4]], NAMES),
    "characters of formulas": (MATRIX, ["$\\frac$", "a_b^c", "100 %"]),
    "scripts that the font lacks": (MATRIX, ["脑瘤", "뇌종양", "ورم"]),
    "an empty name": (MATRIX, ["", "a", "b"]),
}


@pytest.mark.parametrize(("matrix", "names"), MATRICES.values(), ids=MATRICES)
def test_every_text_is_legible_and_fits_into_its_cell(matrix: Any, names: list[str]) -> None:
    figure = plots.confusion_matrix(matrix=matrix, class_names=names, title="baseline CNN", note="note " * 40)
    plot = draw(figure)
    assert problems(plot) == []
    cells = [patch.get_window_extent() for patch in plot.figure.axes[0].patches]
    left, right, bottom, top = (np.array([getattr(cell, side) for cell in cells]) for side in ("x0", "x1", "y0", "y1"))
    for text in plot.texts:
        box = text.get_window_extent()
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        around = (left < x) & (x < right) & (bottom < y) & (y < top)
        fits = (left <= box.x0) & (box.x1 <= right) & (bottom <= box.y0) & (box.y1 <= top)
        assert fits[around].all(), f"{text.get_text()!r} is larger than its cell"


@pytest.mark.parametrize("share", np.linspace(0, 1, 11))
def test_every_shade_of_a_cell_has_legible_text(share: float) -> None:
    hits = round(1000 * share)
    matrix = [[hits, 1000 - hits], [1000 - hits, hits]]
    assert problems(draw(plots.confusion_matrix(matrix=matrix, class_names=["a", "b"], title=""))) == []


def test_the_margins_show_precision_recall_and_accuracy() -> None:
    words = set(draw(plots.confusion_matrix(matrix=MATRIX, class_names=NAMES, title="baseline CNN")).words)
    assert {"86.2 %", "88.9 %", "94.1 %"} <= words  # 112/130, 265/298, 174/185
    assert {"78.9 %", "93.0 %", "93.5 %"} <= words  # 112/142, 265/285, 174/186
    assert {"89.9 %", "551 of 613", "87.2–92.0 %"} <= words
    assert "17.6 %" in words  # 25 of 142 meningiomas classified as gliomas
