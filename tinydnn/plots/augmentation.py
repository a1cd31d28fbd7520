"""Augmented slices: a grid of originals and their augmentations by epoch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinydnn.plots import canvas
from tinydnn.plots.canvas import GREY, MARGIN, VERMILION

CELL, GAP, LEFT, TOP = 1.25, 0.06, 1.2, 0.25  # inches


def augmentation(
    path: str | Path, *, images: np.ndarray, masks: np.ndarray | None, names: Sequence[str], title: str
) -> None:
    """Plot slices into the PNG file `path`: a row for each slice, first the original, then its augmentation by epoch.

    images: (rows, columns, S, S) uint8. masks: the same shape, bool, drawn as outlines. names: the class of each row.
    """
    rows, columns = images.shape[:2]
    width, body = LEFT + columns * (CELL + GAP) + MARGIN, TOP + rows * (CELL + GAP) + MARGIN
    with canvas.style():
        note = "" if masks is None else "The outline is the tumour mask, warped with the slice."
        figure = canvas.new_figure(width, body, "Augmented slices", title, note)
        for row in range(rows):
            bottom = body - TOP - (row + 1) * (CELL + GAP)
            for column in range(columns):
                axes = canvas.axes_at(figure, LEFT + column * (CELL + GAP), bottom, CELL, CELL)
                axes.imshow(images[row, column], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
                if masks is not None and masks[row, column].any():
                    axes.contour(masks[row, column], levels=[0.5], colors=[VERMILION], linewidths=0.8)
                axes.set_axis_off()
                if row == 0:
                    axes.set_title("original" if column == 0 else f"epoch {column}", size=8.5, color=GREY, pad=3)
                if column == 0:
                    axes.text(-0.06, 0.5, names[row], transform=axes.transAxes, ha="right", va="center", size=9)
        canvas.save(figure, path)
