"""Shared parts of all plots: style, colours, header and layout, and writing to files.

Figures are created without pyplot, which would keep global state and open windows.
"""

import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinydnn.errors import InputError
from tinydnn.storage import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150
FONT = "DejaVu Sans"  # included in matplotlib
# From Okabe and Ito's palette, which colour-blind readers can distinguish. As text on white, vermilion has too little
# contrast (3.9:1).
BLUE, VERMILION, SKY, ORANGE = "#0072B2", "#D55E00", "#56B4E9", "#E69F00"
BLACK, GREY, LIGHT = "#1A1A1A", "#5F5F5F", "#F1F1F1"
MARGIN = 0.3  # inches, round every figure

Colour = str | tuple[float, float, float]

# By suffix: the metadata that matplotlib writes by default, which differ by version, date or process.
METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Creator": None, "Date": None},
    ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}


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
                "axes.axisbelow": True,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "grid.color": "#E0E0E0",
                "grid.linewidth": 0.6,
                "xtick.color": GREY,
                "ytick.color": GREY,
                "font.size": 9,
                "legend.frameon": False,
                "svg.hashsalt": "tinydnn",  # by default, the ids in an SVG file are random
            }
        )
        yield


def wrap(text: str, width: float, size: float) -> list[str]:
    """Break `text` into lines of about `width` inches in a font of `size` points.

    The bytes of a file name that are no UTF-8 are escaped, because they cannot be drawn.
    """
    text = text.encode(errors="backslashreplace").decode()
    return textwrap.wrap(text, int(width / (0.56 * size / 72)))


def shorten(text: str, length: int) -> str:
    """`text`, cut to `length` characters with an ellipsis at the end."""
    return text if len(text) <= length else text[: length - 1] + "…"


def new_figure(width: float, body: float, heading: str, title: str, note: str) -> "Figure":
    """A figure `width` inches wide: a header of heading, title and note, and below it `body` inches for the axes.

    matplotlib's constrained layout arranges the axes of `figure.subplots` in the body.
    """
    from tinydnn.plots.picture import Picture

    blocks = [(heading, 13.0, BLACK, "bold"), (title, 10.0, BLACK, "normal"), (note, 8.5, GREY, "normal")]
    lines = [
        (line, size, colour, weight)
        for text, size, colour, weight in blocks
        for line in wrap(text, width - 2 * MARGIN, size)
    ]
    leading = 1.45 / 72
    height = body + MARGIN + sum(size * leading for _, size, _, _ in lines)
    figure = Picture(figsize=(width, height), dpi=DPI, facecolor="white")
    inside = (MARGIN / width, 0.1 / height, 1 - 2 * MARGIN / width, (body - 0.25) / height)
    figure.set_layout_engine("constrained", rect=inside)
    top = height - MARGIN
    for line, size, colour, weight in lines:
        figure.text(MARGIN / width, top / height, line, size=size, color=colour, weight=weight, va="top")
        top -= size * leading
    return figure


def axes_at(figure: "Figure", left: float, bottom: float, width: float, height: float) -> "Axes":
    """Add axes whose position and size are in inches from the lower left corner, in place of the layout engine."""
    total_width, total_height = figure.get_size_inches()
    figure.set_layout_engine("none")
    return figure.add_axes((left / total_width, bottom / total_height, width / total_width, height / total_height))


def contrast(first: Colour, second: Colour) -> float:
    """The contrast ratio of two colours, from 1 to 21. WCAG demands 4.5 of text.

    (L₁ + 0.05) / (L₂ + 0.05), where L₁ >= L₂ are the relative luminances. Source: WCAG 2.2.
    """
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def text_colour(fill: Colour) -> str:
    """Black or white, whichever has more contrast with `fill`; that is at least 4.58."""
    return max("black", "white", key=lambda colour: contrast(colour, fill))


def _luminance(colour: Colour) -> float:
    """0.2126 R + 0.7152 G + 0.0722 B of the linear sRGB channels."""
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def check_suffix(path: str | Path, name: str = "path") -> None:
    """Raise `InputError` unless `save` can write a file of this suffix; `name` is the option that holds the path."""
    if Path(path).suffix.lower() not in METADATA:
        *first, last = METADATA
        raise InputError(f"{name}: expected a name that ends in {', '.join(first)} or {last}, found {path}")


def save(figure: "Figure", path: str | Path) -> None:
    """Write `figure` to a .png, .svg or .pdf file, atomically; the same figure gives the same bytes.

    Raises `InputError` for any other suffix.
    """
    check_suffix(path)
    suffix = Path(path).suffix.lower()
    with style(), atomic_write(path) as temporary:
        figure.savefig(temporary, format=suffix[1:], metadata=METADATA[suffix])
