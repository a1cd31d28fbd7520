"""The explanation of an image: the slice, and a map of relevance for each method."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinydnn.explain.explanation import Finding
from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLACK, GREY, MARGIN
from tinydnn.plots.tiles import show_slice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL, GAP, TOP, BELOW = 2.3, 0.12, 0.32, 0.34  # inches
COLUMNS = 5
BAR = 1.05  # inches, to the right of the maps: the colour bar and its label
DIMMED = 0.55  # the brightness of the slice under a map, so that the map is the brightest thing in the picture
CLIP = 99.5  # percentile of a map that gets the brightest colour


def explanation(
    *, image: np.ndarray, findings: Sequence[Finding], title: str, note: str = "", mask: np.ndarray | None = None
) -> "Figure":
    """Plot an image and, for each finding, its relevance over the dimmed image.

    image: (H, W) uint8. mask: (H, W) bool, drawn as an outline. A cross marks the most relevant pixel. The colours of
    each map go from its minimum, which is 0 for most methods, to its 99.5th percentile, since a few extreme pixels
    would darken all others.
    """
    notes = [note, "The cross marks the maximum. max*: the 99.5th percentile of a map."]
    if mask is not None:
        notes.append(
            f"The outline is the tumour mask, {100 * mask.mean():.1f} % of the pixels; the share below a map is the "
            "relevance inside it."
        )
    with canvas.style():
        count = len(findings) + 1
        columns = min(count, COLUMNS)
        rows = -(-count // columns)
        width = 2 * MARGIN + columns * CELL + (columns - 1) * GAP + BAR
        body = rows * (TOP + CELL + BELOW) + 0.1
        figure = canvas.new_figure(width, body, "Explanation", title, " ".join(text for text in notes if text))
        for index in range(count):
            row, column = divmod(index, columns)
            bottom = body - TOP - CELL - row * (TOP + CELL + BELOW)
            axes = canvas.axes_at(figure, MARGIN + column * (CELL + GAP), bottom, CELL, CELL)
            show_slice(axes, image, mask, brightness=DIMMED if index else 1.0)
            if index:
                _map(axes, findings[index - 1], mask)
            else:
                axes.set_title("slice", size=9.5, color=BLACK)
        _colour_bar(figure, width - MARGIN - BAR + 0.2, body - TOP - CELL)
    return figure


def _map(axes: "Axes", finding: Finding, mask: np.ndarray | None) -> None:
    """Draw the relevance over the image, transparent where there is none, with its title and its share in the mask."""
    relevance, maximum = finding.relevance, finding.maximum
    axes.set_title(finding.title, size=9.5, color=BLACK)
    if maximum is None:
        axes.set_xlabel("no relevance anywhere", size=8.5, color=GREY)
        return
    low, top = float(relevance.min()), float(np.percentile(relevance, CLIP))
    top = top if top > low else float(relevance.max())
    share = np.clip((relevance - low) / (top - low or 1.0), 0, 1)
    axes.imshow(share, cmap="inferno", vmin=0, vmax=1, alpha=opacity(share), interpolation="nearest", zorder=2)
    row, column = maximum
    for colour, size, edge in ((BLACK, 9, 3.2), ("white", 8, 1.4)):
        axes.plot(column, row, "+", color=colour, markersize=size, markeredgewidth=edge, zorder=4)
    inside = None if mask is None else finding.share_inside(mask)
    if inside is not None:
        axes.set_xlabel(f"{100 * inside:.0f} % in the tumour", size=8.5, color=GREY)


def opacity(share: np.ndarray) -> np.ndarray:
    """The opacity of a map: what is not relevant shows the slice, what is most relevant hides it."""
    return np.asarray(np.clip(1.6 * share, 0, 0.9))


def _colour_bar(figure: "Figure", left: float, bottom: float) -> None:
    """Draw the colours of the maps over black, as over the air around the head."""
    axes = canvas.axes_at(figure, left, bottom, 0.16, CELL)
    share = np.linspace(1, 0, 256)[:, None]
    axes.set_facecolor("black")
    axes.imshow(share, cmap="inferno", vmin=0, vmax=1, alpha=opacity(share), aspect="auto", extent=(0, 1, 0, 1))
    axes.set(xticks=[], yticks=[0, 1], yticklabels=["min", "max*"], ylabel="relevance of each map")
    axes.yaxis.set_label_position("right")
    axes.yaxis.tick_right()
    axes.tick_params(length=0, labelsize=8.5)
    axes.yaxis.label.set_fontsize(8.5)
    axes.spines[:].set_visible(False)
