"""What all pictures share: one style, a header, positions in inches, files that appear whole.

matplotlib's pyplot is not used: figures are plain objects here, no window and no global list of them.
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
FONT = "DejaVu Sans"  # comes with matplotlib
# Blue and vermilion of Okabe and Ito's palette, which colour-blind readers tell apart.
BLUE, VERMILION = "#0072B2", "#D55E00"
BLACK, GREY, LIGHT = "#1A1A1A", "#5F5F5F", "#F1F1F1"
MARGIN = 0.3  # inches, round every figure


@contextmanager
def style() -> Iterator[None]:
    """Draw with the project's settings, whatever the person's own matplotlib settings are."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box stands for it
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "font.family": FONT,
                "text.color": BLACK,
                "text.parse_math": False,  # a class name may hold a dollar sign
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
    """Return the width in inches of a line of text in a font of `size` points, within `style()`."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    path = TextPath((0, 0), text, size=size, prop=FontProperties(family=FONT))
    return float(path.get_extents().x1) / 72


def new_figure(width: float, body: float, heading: str, title: str, note: str) -> "Figure":
    """Return a figure `width` inches wide with a header above `body` inches left free for the picture."""
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
    """Add axes at a place given in inches from the lower left corner of the figure."""
    whole_width, whole_height = figure.get_size_inches()
    place = (left / whole_width, bottom / whole_height, width / whole_width, height / whole_height)
    return figure.add_axes(place)


def save(figure: "Figure", path: str | Path) -> None:
    """Write `figure` as PNG, whole or not at all; the same figure gives the same bytes."""
    with atomic_write(path) as temporary:
        # matplotlib would write its own version into the file.
        figure.savefig(temporary, format="png", metadata={"Software": None})
