"""Shared parts of all plots: style, header, axes placed in inches, atomic files.

Figures are created without pyplot, which would keep global state and open windows.
"""

import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tinydnn.storage import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150
FONT = "DejaVu Sans"  # included in matplotlib
# Blue and vermilion of Okabe and Ito's palette, which colour-blind readers can distinguish.
BLUE, VERMILION = "#0072B2", "#D55E00"
BLACK, GREY, LIGHT = "#1A1A1A", "#5F5F5F", "#F1F1F1"
MARGIN = 0.3  # inches, round every figure


@contextmanager
def style() -> Iterator[None]:
    """Draw with this package's settings, whatever the user's matplotlib settings are."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # matplotlib draws a box instead
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "font.family": FONT,
                "text.color": BLACK,
                "text.parse_math": False,  # a class name may contain a dollar sign
                "axes.labelcolor": BLACK,
                "axes.edgecolor": GREY,
                "xtick.color": GREY,
                "ytick.color": GREY,
                "font.size": 9,
            }
        )
        yield


def wrap(text: str, width: float, size: float) -> list[str]:
    """Break `text` into lines of about `width` inches in a font of `size` points."""
    return textwrap.wrap(text, int(width / (0.56 * size / 72)))


def text_width(text: str, size: float) -> float:
    """The width in inches of a line of text in a font of `size` points, within `style()`."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    path = TextPath((0, 0), text, size=size, prop=FontProperties(family=FONT))
    return float(path.get_extents().x1) / 72


def new_figure(width: float, body: float, heading: str, title: str, note: str) -> "Figure":
    """A figure `width` inches wide: a header of heading, title and note, and below it `body` inches for the axes."""
    from matplotlib.figure import Figure

    blocks = [(heading, 13.0, BLACK, "bold"), (title, 10.0, BLACK, "normal"), (note, 8.5, GREY, "normal")]
    lines = [
        (line, size, colour, weight)
        for text, size, colour, weight in blocks
        for line in wrap(text, width - 2 * MARGIN, size)
    ]
    leading = 1.45 / 72
    height = body + MARGIN + sum(size * leading for _, size, _, _ in lines)
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    top = height - MARGIN
    for line, size, colour, weight in lines:
        figure.text(MARGIN / width, top / height, line, size=size, color=colour, weight=weight, va="top")
        top -= size * leading
    return figure


def axes_at(figure: "Figure", left: float, bottom: float, width: float, height: float) -> "Axes":
    """Add axes whose position and size are in inches from the lower left corner of the figure."""
    total_width, total_height = figure.get_size_inches()
    return figure.add_axes((left / total_width, bottom / total_height, width / total_width, height / total_height))


def save(figure: "Figure", path: str | Path) -> None:
    """Write `figure` as a PNG file, atomically; the same figure gives the same bytes."""
    with atomic_write(path) as temporary:
        # By default, matplotlib writes its version into the file.
        figure.savefig(temporary, format="png", metadata={"Software": None})
