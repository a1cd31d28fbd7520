"""Small pictures in rows: slices with the outline of the tumour, maps and filters."""

from typing import TYPE_CHECKING

import numpy as np

from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLACK, GREY, MARGIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

GAP, BAR, NARROWEST = 0.1, 0.95, 5.6  # inches: between tiles, for a colour bar, a header's least width


def tiles(
    count: int, *, cell: float, above: float, columns: int, heading: str, title: str, note: str, bar: bool = False
) -> tuple["Figure", list["Axes"]]:
    """A figure with `count` square axes of `cell` inches in rows of at most `columns`, each with `above` inches for its
    title, and with `bar` room for a colour bar at the right.

    Within `canvas.style()`.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    width = max(2 * MARGIN + columns * cell + (columns - 1) * GAP + (BAR if bar else 0), NARROWEST)
    body = rows * (above + cell) + (rows - 1) * GAP + MARGIN
    figure = canvas.new_figure(width, body, heading, title, note)
    axes = []
    for index in range(count):
        row, column = divmod(index, columns)
        bottom = body - (row + 1) * (above + cell) - row * GAP
        axes.append(canvas.axes_at(figure, MARGIN + column * (cell + GAP), bottom, cell, cell))
        axes[-1].set(xticks=[], yticks=[])
        axes[-1].spines[:].set_visible(False)
    return figure, axes


def colour_bar(figure: "Figure", axes: "Axes", image: "AxesImage", label: str) -> None:
    """Draw the colours of `image` beside the last axes of the first row, over the height of a tile."""
    width, height = figure.get_size_inches()
    box = axes.get_position()
    bar = canvas.axes_at(figure, box.x1 * width + 0.18, box.y0 * height, 0.14, box.height * height)
    figure.colorbar(image, cax=bar).outline.set_visible(False)
    bar.tick_params(labelsize=7.5, length=2)
    bar.locator_params(nbins=4)
    bar.set_ylabel(label, size=8, color=GREY)


def show_slice(
    axes: "Axes", image: np.ndarray, mask: np.ndarray | None = None, *, brightness: float = 1.0, linewidth: float = 1.1
) -> None:
    """Draw an image (H, W) uint8 in grey without ticks, and the outline of a mask (H, W) bool on it.

    linewidth: of the outline, in points.
    """
    axes.imshow(image, cmap="gray", vmin=0, vmax=255 / brightness, interpolation="nearest")
    if mask is not None:
        _outline(axes, mask, linewidth)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _outline(axes: "Axes", mask: np.ndarray, linewidth: float) -> None:
    """Draw the outline of a mask (H, W) bool: a white line with black edges, which no grey or colour map hides."""
    padded = np.pad(mask.astype(np.float32), 1)  # a mask that touches the border is outlined there too
    grid = np.arange(-1, mask.shape[1] + 1), np.arange(-1, mask.shape[0] + 1)
    for colour, width in ((BLACK, 2.4 * linewidth), ("white", linewidth)):
        axes.contour(*grid, padded, levels=[0.5], colors=[colour], linewidths=width, zorder=3)
    axes.set(xlim=(-0.5, mask.shape[1] - 0.5), ylim=(mask.shape[0] - 0.5, -0.5))
