"""Activation maximisation: the image that each class, or a channel, responds to most."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tinydnn.explain.maximise import Maximised
from tinydnn.plots import canvas
from tinydnn.plots.tiles import tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME_LENGTH = 30  # characters


def maximised(*, results: Mapping[str, Maximised], title: str, note: str = "") -> "Figure":
    """Plot the image found for each name, with its score before the first step and after the last."""
    with canvas.style():
        figure, axes = tiles(
            len(results), cell=2.5, above=0.5, columns=4, heading="Activation maximisation", title=title, note=note
        )
        for tile, (name, result) in zip(axes, results.items(), strict=True):
            tile.imshow(result.image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            first, last = (f"{score:.3g}".replace("-", "−") for score in (result.scores[0], result.scores[-1]))
            tile.set_title(f"{canvas.shorten(name, NAME_LENGTH)}\nscore {first} → {last}", size=9)
    return figure
