"""Figures as SVG inside the page, whose colours follow its light or dark mode.

matplotlib draws with stand-in colours; each is then replaced by a variable of the style sheet. Text remains text, in
the fonts of the page.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from markupsafe import Markup

from tinydnn.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, RULE, PAPER = "#010203", "#010204", "#010205", "#010206"
CLASSES = tuple(f"#0203{k:02x}" for k in range(6))
VARIABLES = {
    INK: "--ink", MUTED: "--muted", RULE: "--rule", PAPER: "--paper",
    **{colour: f"--class-{k}" for k, colour in enumerate(CLASSES)},
}  # fmt: skip
DASHES = ("-", "--", "-.", ":")
MARKERS = "os^DvPX<>p"
NAME_LENGTH = 28  # characters
WIDTH, HEIGHT = 4.3, 3.1  # inches of a panel, at which its text is as large as that of a caption


def class_colour(k: int) -> str:
    """The colour of a class; not the only sign of it, because there are few, see `class_dashes` and `class_marker`."""
    return CLASSES[k % len(CLASSES)]


def class_dashes(k: int) -> str:
    """The line style of a class."""
    return DASHES[k % len(DASHES)]


def class_marker(k: int) -> str:
    """The marker of a class."""
    return MARKERS[k % len(MARKERS)]


def short(name: str) -> str:
    """The name of a class, cut to what fits into a legend."""
    return canvas.shorten(name, NAME_LENGTH)


@contextmanager
def panel(*, width: float = WIDTH, height: float = HEIGHT) -> Iterator[tuple["Figure", "Axes"]]:
    """A figure with one pair of axes, to be drawn and passed to `inline` within the block."""
    import matplotlib
    from matplotlib.figure import Figure

    with canvas.style():
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "text.color": INK,
                "axes.labelcolor": INK,
                "axes.edgecolor": MUTED,
                "axes.facecolor": "none",
                "grid.color": RULE,
                "xtick.color": MUTED,
                "ytick.color": MUTED,
                "legend.labelcolor": INK,
            }
        )
        figure = Figure(figsize=(width, height), facecolor="none")
        left, bottom, right, top = 0.62, 0.5, 0.14, 0.12  # inches
        axes = figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height))
        yield figure, axes


def inline(figure: "Figure", name: str, label: str) -> Markup:
    """The figure as an element of the page. name: unique in it. label: its contents in words, for screen readers."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = file.getvalue()
    text = text[text.index("<svg") :]
    size = re.search(r'viewBox="([^"]*)"', text)
    assert size is not None  # matplotlib writes it
    body = text[text.index(">") + 1 :]
    body = re.sub(r"<defs>\s*<style.*?</defs>", "", body, count=1, flags=re.DOTALL)  # it would apply to the whole page
    # The ids of the figures of a page must differ.
    body = re.sub(r'\b(id="|url\(#|(?:xlink:)?href="#)', lambda match: f"{match[1]}{name}-", body)
    body = body.replace("xlink:href=", "href=").replace(f"'{canvas.FONT}'", "var(--sans)")
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    width = float(size[1].split()[2]) / 0.75  # points to CSS pixels
    head = Markup('<svg role="img" aria-label="{}" viewBox="{}" style="max-width: {:.0f}px">')
    return head.format(label, size[1], width) + Markup(body)
