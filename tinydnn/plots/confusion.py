"""Confusion matrix: counts and row percentages, with recall, precision and accuracy in the margins."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinydnn.metrics import classification_report
from tinydnn.plots import canvas
from tinydnn.plots.canvas import GREY, LIGHT, MARGIN, SKY, VERMILION, Colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME_SIZE, LARGE, SMALL = 9.0, 11.0, 7.5  # points: class names, the large and the small lines of a cell
NAME_LENGTH = 48  # characters
NAME_WIDTH = 1.45  # inches, at which class names are wrapped
LINE = 1.25 * NAME_SIZE / 72  # inches
SLANT = 0.71  # sin 45° = cos 45°
GAP = 0.1  # inches, between the matrix and its margins
DASH = "–"


def confusion_matrix(
    *,
    matrix: npt.ArrayLike,
    class_names: Sequence[str],
    title: str,
    note: str = "",
    interval: Sequence[float] | None = None,
) -> "Figure":
    """Plot a confusion matrix in the style of MATLAB's confusionchart.

    matrix: counts (K, K), a row for each true class, a column for each predicted class. interval: the 95 % interval of
    the accuracy, by default Wilson's over slices.

    A cell shows its count and its share of the row, which sets the shade: blue on the diagonal, vermilion for errors.
    The right margin shows recall, the bottom margin precision, the corner accuracy with its interval. An undefined
    metric is a dash. Legible for 2 to 10 classes.

    Raises ValueError as `tinydnn.metrics.classification_report` does.
    """
    report = classification_report(matrix, class_names)
    report["accuracy_interval_95"] = interval or report["accuracy_interval_95"]
    classes, total = len(class_names), report["slices"]
    names = [canvas.wrap(canvas.shorten(name, NAME_LENGTH), NAME_WIDTH, NAME_SIZE) for name in class_names]
    with canvas.style():
        cell = 1.1 if classes <= 4 else 0.9 if classes <= 6 else 0.76  # inches
        cell = max(cell, _text_width(f"{total} of {total}", SMALL) + 0.1)
        lines = ["Precision", *(line for name in names for line in name)]
        longest = max(_text_width(line, NAME_SIZE) for line in lines)
        tallest = max(len(name) for name in names) * LINE
        slanted = longest > cell - 0.05
        left = MARGIN + 0.35 + longest
        top = 0.4 + (SLANT * (longest + tallest) if slanted else tallest)
        overhang = max(0.0, SLANT * longest - cell) if slanted else 0.0
        starts = [*(k * cell for k in range(classes)), classes * cell + GAP]
        xs, ys = [left + start for start in starts], [top + start for start in starts]
        width, body = max(xs[-1] + cell + overhang + MARGIN, 5.6), ys[-1] + cell + 0.3 + MARGIN
        figure = canvas.new_figure(width, body, "Confusion matrix", title, note)
        axes = canvas.axes_at(figure, 0, 0, width, body)
        axes.set(xlim=(0, width), ylim=(body, 0))  # inches from the upper left corner
        axes.axis("off")
        _cells(axes, xs, ys, cell, report)
        _labels(axes, xs, ys, cell, names, slanted)
    return figure


def _cells(axes: "Axes", xs: list[float], ys: list[float], cell: float, report: dict[str, Any]) -> None:
    """Draw the matrix and its margins; `xs` and `ys` are the left and upper edges of columns and rows."""
    counts = np.array(report["confusion_matrix"])
    support, predicted, hits = counts.sum(axis=1), counts.sum(axis=0), counts.diagonal()
    for (i, j), count in np.ndenumerate(counts):
        share = count / support[i] if support[i] else 0.0
        fill = _shade(SKY if i == j else VERMILION, share)
        _box(axes, xs[j], ys[i], cell, fill, str(count), [_percent(share)] if count else [])
    for k, metrics in enumerate(report["per_class"].values()):
        recall, precision = _percent(metrics["recall"]), _percent(metrics["precision"])
        _box(axes, xs[-1], ys[k], cell, LIGHT, recall, [f"{hits[k]} of {support[k]}"])
        _box(axes, xs[k], ys[-1], cell, LIGHT, precision, [f"{hits[k]} of {predicted[k]}"])
    low, high = report["accuracy_interval_95"]
    small = [f"{hits.sum()} of {counts.sum()}", f"{100 * low:.1f}–{100 * high:.1f} %"]
    _box(axes, xs[-1], ys[-1], cell, LIGHT, _percent(report["accuracy"]), small)


def _box(axes: "Axes", x: float, y: float, cell: float, fill: Colour, large: str, small: list[str]) -> None:
    """Draw a cell with a large line of text and small lines below it."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), cell, cell, facecolor=fill, edgecolor="white", linewidth=1.5))
    empty = large in ("0", DASH)
    colour = GREY if empty else canvas.text_colour(fill)
    weight = "normal" if empty else "bold"
    middle = y + cell / 2 - len(small) * LINE / 2
    axes.text(x + cell / 2, middle, large, size=LARGE, color=colour, weight=weight, ha="center", va="center")
    for k, text in enumerate(small, start=1):
        axes.text(x + cell / 2, middle + (k + 0.15) * LINE, text, size=SMALL, color=colour, ha="center", va="center")


def _labels(axes: "Axes", xs: list[float], ys: list[float], cell: float, names: list[list[str]], slanted: bool) -> None:
    """Write the labels around the cells; `xs` and `ys` are the left and upper edges of columns and rows."""
    left, top, bottom = xs[0] - 0.08, ys[0] - 0.08, ys[-1] + cell + 0.06
    xs, ys = [x + cell / 2 for x in xs], [y + cell / 2 for y in ys]
    for x, y, lines in zip(xs[:-1], ys[:-1], names, strict=True):
        name = "\n".join(lines)
        axes.text(left, y, name, size=NAME_SIZE, ha="right", va="center")
        if slanted:
            # Slanted lines extend to the left of their anchor; half of that extent centres them on the column.
            x += SLANT / 2 * LINE * len(lines)
            axes.text(x, top, name, size=NAME_SIZE, rotation=45, rotation_mode="anchor", ha="left", va="bottom")
        else:
            axes.text(x, top, name, size=NAME_SIZE, ha="center", va="bottom")
    axes.text(left, ys[-1], "Precision", size=NAME_SIZE, weight="bold", ha="right", va="center")
    axes.text(xs[-1], top, "Recall", size=NAME_SIZE, weight="bold", ha="center", va="bottom")
    rows, columns = (ys[0] + ys[-2]) / 2, (xs[0] + xs[-2]) / 2
    axes.text(MARGIN, rows, "True class", size=NAME_SIZE, color=GREY, rotation=90, va="center")
    axes.text(columns, 0.12, "Predicted class", size=NAME_SIZE, color=GREY, ha="center", va="top")
    corner = "Accuracy and\n95 % interval"
    axes.text(xs[-1], bottom, corner, size=SMALL, color=GREY, ha="center", va="top")


def _shade(colour: str, share: float) -> Colour:
    """Mix `colour` with white, by the square root of the share, so that a few errors remain visible."""
    from matplotlib.colors import to_rgb

    red, green, blue = (1 - (1 - channel) * 0.95 * share**0.5 for channel in to_rgb(colour))
    return red, green, blue


def _text_width(text: str, size: float) -> float:
    """The width in inches of a line of text in a font of `size` points, within `canvas.style()`."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    path = TextPath((0, 0), text, size=size, prop=FontProperties(family=canvas.FONT))
    return float(path.get_extents().x1) / 72


def _percent(share: float | None) -> str:
    return DASH if share is None else f"{100 * share:.1f} %"
