"""The learned filters of a convolution: a tile for each, or a matrix for one of 1 × 1."""

from typing import TYPE_CHECKING

import numpy as np

from tinydnn.plots import canvas
from tinydnn.plots.canvas import GREY, MARGIN
from tinydnn.plots.tiles import BAR, colour_bar, tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST = 64  # filters
LONGEST = 8.0  # inches, of the matrix of a 1 × 1 convolution


def filters(*, weights: np.ndarray, inputs: np.ndarray, title: str, note: str = "") -> "Figure":
    """Plot the filters of a convolution, all on one scale: white is the largest weight, black its negative.

    weights: (O, C, K, K). inputs: (O,), the input channel c for which filter o is drawn, as "o ← c". Of more than 64
    filters, those with the largest norm are drawn. For K = 1, the plot is the matrix (O, C).
    """
    top = float(abs(weights).max()) or 1.0
    if weights.shape[2:] == (1, 1):
        return _matrix(weights[:, :, 0, 0], top, title, note)
    shown = np.arange(len(weights))
    if len(weights) > LARGEST:
        shown = np.sort(np.argsort(-(weights**2).sum(axis=(1, 2, 3)), kind="stable")[:LARGEST])
        note = f"{note} {LARGEST} of {len(weights)} filters: those with the largest norm.".strip()
    if weights.shape[1] > 1:
        note = f"{note} k ← c: filter k, drawn for the input channel c to which it gives most weight.".strip()
    with canvas.style():
        figure, axes = tiles(
            len(shown), cell=0.8, above=0.22, columns=8, heading="Learned filters", title=title, note=note, bar=True
        )
        for tile, k in zip(axes, shown, strict=True):
            drawn = tile.imshow(weights[k, inputs[k]], cmap="gray", vmin=-top, vmax=top, interpolation="nearest")
            name = str(k) if weights.shape[1] == 1 else f"{k} ← {inputs[k]}"
            tile.set_title(name, size=8, color=GREY, pad=2)
        colour_bar(figure, axes[min(8, len(axes)) - 1], drawn, "weight")
    return figure


def _matrix(matrix: np.ndarray, top: float, title: str, note: str) -> "Figure":
    """Plot a matrix (O, C), with square elements if that leaves it readable."""
    from matplotlib.ticker import MaxNLocator

    rows, columns = matrix.shape
    element = LONGEST / max(rows, columns)
    width, height = max(columns * element, 1.2), max(rows * element, 1.2)
    with canvas.style():
        total, body = max(2 * MARGIN + 0.5 + width + BAR, 5.6), height + 0.75
        figure = canvas.new_figure(total, body, "Learned filters of 1 × 1: a matrix", title, note)
        axes = canvas.axes_at(figure, MARGIN + 0.5, 0.6, width, height)
        drawn = axes.imshow(matrix, cmap="gray", vmin=-top, vmax=top, interpolation="nearest", aspect="auto")
        axes.set(xlabel="input channel", ylabel="output channel")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
        axes.tick_params(labelsize=8)
        colour_bar(figure, axes, drawn, "weight")
    return figure
