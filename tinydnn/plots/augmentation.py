"""Augmented slices: a grid of originals and their augmentations by epoch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinydnn.plots import canvas
from tinydnn.plots.canvas import GREY, MARGIN, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL, GAP, LEFT, TOP = 1.25, 0.06, 1.5, 0.25  # inches
NAME_LENGTH, NAME_WIDTH = 48, 1.1  # characters; inches, at which class names are wrapped


def augmentation(
    *, images: np.ndarray, masks: np.ndarray | None, names: Sequence[str], title: str, note: str = ""
) -> "Figure":
    """Plot slices: a row for each, first the original, then its augmentation by epoch.

    images: (rows, columns, S, S) uint8. masks: the same shape, bool, drawn as outlines. names: the class of each row.
    """
    rows, columns = images.shape[:2]
    if masks is not None:
        note = f"{note} The outline is the tumour mask, warped with the slice.".strip()
    with canvas.style():
        width, body = LEFT + columns * (CELL + GAP) + MARGIN, TOP + rows * (CELL + GAP) + MARGIN
        figure = canvas.new_figure(width, body, "Augmented slices", title, note)
        grid = np.empty((rows, columns), dtype=object)
        for row, column in np.ndindex(rows, columns):
            bottom = body - TOP - (row + 1) * (CELL + GAP)
            axes = canvas.axes_at(figure, LEFT + column * (CELL + GAP), bottom, CELL, CELL)
            grid[row, column] = axes
            axes.imshow(images[row, column], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            if masks is not None and masks[row, column].any():
                axes.contour(masks[row, column], levels=[0.5], colors=[VERMILION], linewidths=0.8)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for column, axes in enumerate(grid[0]):
            axes.set_title(f"epoch {column}" if column else "original", size=8.5, color=GREY)
        for name, axes in zip(names, grid[:, 0], strict=True):
            lines = canvas.wrap(canvas.shorten(name, NAME_LENGTH), NAME_WIDTH, 9)
            axes.set_ylabel("\n".join(lines), rotation=0, ha="right", va="center")
    return figure
