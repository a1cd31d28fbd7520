"""An image and its nearest slices in feature space."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tinydnn.plots import canvas
from tinydnn.plots.tiles import show_slice, tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME_LENGTH, NAME_WIDTH = 44, 1.7  # characters; inches, at which names are wrapped


@dataclass(frozen=True, eq=False)
class Neighbour:
    """A slice near an image. pixels: (S, S) uint8. mask: (S, S) bool. patient: "" if unknown."""

    pixels: np.ndarray
    name: str
    patient: str
    distance: float
    mask: np.ndarray | None = None


def neighbours(
    *, image: np.ndarray, name: str, found: Sequence[Neighbour], title: str, note: str = "",
    mask: np.ndarray | None = None,
) -> "Figure":  # fmt: skip
    """Plot an image (S, S) uint8 of the predicted class `name`, and then its neighbours with class and distance."""
    with canvas.style():
        labels = [["predicted:", *_lines(name)]]
        for other in found:
            patient = [canvas.shorten(f"patient {other.patient}", 24)] if other.patient else []
            labels.append([*_lines(other.name), *patient, f"distance {other.distance:.4f}"])
        above = max(map(len, labels)) * 0.16 + 0.1
        figure, axes = tiles(
            len(labels), cell=1.75, above=above, columns=6, heading="Nearest slices", title=title, note=note
        )
        slices = [(image, mask), *((other.pixels, other.mask) for other in found)]
        for tile, lines, (pixels, outlined) in zip(axes, labels, slices, strict=True):
            show_slice(tile, pixels, outlined)
            tile.set_title("\n".join(lines), size=8.5)
    return figure


def _lines(name: str) -> list[str]:
    return canvas.wrap(canvas.shorten(name, NAME_LENGTH), NAME_WIDTH, 8.5)
