"""Checks of a figure: every text has contrast with what is really behind it, overlaps no other, and is not cut off."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any
from unittest import mock

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.text import Text

from tinydnn.plots.canvas import contrast

LEAST_CONTRAST = 4.5  # WCAG 2.2, level AA
LEAST_SHARE = 0.04  # of the pixels behind a text: a colour that fills less is no more than the edge of a line
UNIFORM_SHARE = 0.85  # of the pixels behind a text: its background; the rest are lines and markers
TOLERANCE = 0.5  # pixels


@dataclass
class Drawn:
    """A figure as it was drawn: its visible texts, and its pixels without them, (height, width, 3) uint8."""

    figure: Figure
    texts: list[Text]
    pixels: np.ndarray

    @property
    def words(self) -> list[str]:
        return [text.get_text() for text in self.texts]


def draw(figure: Figure) -> Drawn:
    """Draw a figure twice: the first time matplotlib lays it out, the second time without its texts."""
    texts: list[Text] = []

    def record(text: Text, renderer: Any) -> None:
        if text.get_visible() and text.get_text().strip() and text not in texts:
            texts.append(text)
        if text.get_visible() and (box := text.get_bbox_patch()) is not None:
            text.update_bbox_position_size(renderer)
            box.draw(renderer)

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    with mock.patch.object(Text, "draw", record):
        canvas.draw()
    return Drawn(figure, texts, np.array(canvas.buffer_rgba())[..., :3])


def problems(drawn: Drawn) -> list[str]:
    """What makes texts of the figure hard to read, a sentence each."""
    found = []
    width, height = drawn.figure.bbox.width, drawn.figure.bbox.height
    boxes = [(text.get_text(), _corners(text)) for text in drawn.texts]
    for text, (words, corners) in zip(drawn.texts, boxes, strict=True):
        low, high = corners.min(axis=0), corners.max(axis=0)
        if (low < 0).any() or (high > (width, height)).any():
            found.append(f"{words!r} is cut off: it spans {low.round()} to {high.round()} of {width} x {height}")
            continue
        colours, shares = _behind(drawn.pixels, low, high)
        if shares[0] < UNIFORM_SHARE:
            found.append(f"{words!r} has lines or markers behind it: its background fills {shares[0]:.0%} of its box")
        ratios = [_contrast(text, colour) for colour in colours[shares >= LEAST_SHARE]]
        if min(ratios) < LEAST_CONTRAST:
            found.append(f"{words!r} has a contrast of {min(ratios):.2f}:1")
    for (words, corners), (other_words, other) in combinations(boxes, 2):
        if Path(corners).intersects_path(Path(other), filled=True):
            found.append(f"{words!r} overlaps {other_words!r}")
    return found


def _corners(text: Text) -> np.ndarray:
    """The corners (5, 2) in pixels of the box round a text, which is turned with it; the last is the first again."""
    straight, angle = _box_at(text, 0), text.get_rotation()
    centre = np.mean(_box_at(text, angle).get_points(), axis=0)
    half = np.array([straight.width, straight.height]) / 2 - TOLERANCE
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) * half
    return centre + corners @ np.array([(cos, sin), (-sin, cos)])


def _box_at(text: Text, angle: float) -> Any:
    before = text.get_rotation()
    text.set_rotation(angle)
    try:
        return text.get_window_extent()
    finally:
        text.set_rotation(before)


def _behind(pixels: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The colours (n, 3) in a box and their shares of its pixels, the most frequent first."""
    (left, bottom), (right, top) = np.floor(low).astype(int), np.ceil(high).astype(int)
    box = pixels[len(pixels) - top : len(pixels) - bottom, left:right].reshape(-1, 3)
    colours, counts = np.unique(box, axis=0, return_counts=True)
    order = np.argsort(-counts)
    return colours[order], counts[order] / len(box)


def _contrast(text: Text, behind: np.ndarray) -> float:
    """The contrast of a text with the colour (3,) uint8 behind it, through which it shines if it is transparent."""
    red, green, blue, alpha = to_rgba(text.get_color(), text.get_alpha())
    background = behind / 255
    seen = alpha * np.array([red, green, blue]) + (1 - alpha) * background
    return contrast(tuple(seen), tuple(background))
