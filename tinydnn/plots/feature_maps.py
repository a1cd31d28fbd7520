"""The feature maps of a layer: a tile for each channel."""

from typing import TYPE_CHECKING

import numpy as np

from tinydnn.plots import canvas
from tinydnn.plots.canvas import GREY
from tinydnn.plots.tiles import colour_bar, show_slice, tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST = 64  # channels
CLIP = 99.9  # percentile of all values that gets the brightest colour


def feature_maps(
    *, image: np.ndarray, maps: np.ndarray, title: str, note: str = "", mask: np.ndarray | None = None
) -> "Figure":
    """Plot an image and the feature maps of a layer for it, with the number of each channel, all on one scale.

    image: (H, W) uint8. maps: (C, H', W'). mask: (H, W) bool. Of more than 64 channels, those with the largest mean
    magnitude are drawn. Maps with negative values are grey at 0.
    """
    channels = np.arange(len(maps))
    if len(maps) > LARGEST:
        channels = np.sort(np.argsort(-abs(maps).mean(axis=(1, 2)), kind="stable")[:LARGEST])
        note = f"{note} {LARGEST} of {len(maps)} channels: those with the largest mean magnitude.".strip()
    top = float(np.percentile(abs(maps), CLIP)) or float(abs(maps).max()) or 1.0
    signed = bool((maps < 0).any())
    low, colours = (-top, "gray") if signed else (0.0, "viridis")
    columns = min(9, int(np.ceil(np.sqrt(len(channels) + 1))) + 1)
    with canvas.style():
        figure, axes = tiles(
            len(channels) + 1, cell=1.1, above=0.2, columns=columns, heading="Feature maps", title=title, note=note,
            bar=True,
        )  # fmt: skip
        show_slice(axes[0], image, mask, linewidth=0.6)
        axes[0].set_title("slice", size=8, pad=2)
        for tile, channel in zip(axes[1:], channels, strict=True):
            drawn = tile.imshow(maps[channel], cmap=colours, vmin=low, vmax=top, interpolation="nearest")
            tile.set_title(str(channel), size=8, color=GREY, pad=2)
        colour_bar(figure, axes[min(columns, len(axes)) - 1], drawn, "activation")
    return figure
