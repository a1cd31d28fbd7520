"""Figures that are drawn but not written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from tinydnn.plots import canvas


@dataclass
class Drawn:
    """A drawn figure, and its texts that are not blank."""

    figure: Figure
    texts: list[Text]

    @property
    def words(self) -> list[str]:
        return [text.get_text() for text in self.texts]

    def assert_all_text_in_view(self) -> None:
        width, height = self.figure.bbox.width, self.figure.bbox.height
        for text in self.texts:
            box = text.get_window_extent()
            inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
            assert inside, f"{text.get_text()!r} lies at {box} in a figure of {width} x {height}"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Drawn]:
    """The figures that the test draws, which are collected instead of written."""
    figures: list[Drawn] = []
    draw_text = Text.draw

    def record(text: Text, renderer: Any) -> None:
        if text.get_text().strip() and text not in figures[-1].texts:
            figures[-1].texts.append(text)
        draw_text(text, renderer)

    def collect(figure: Figure, path: str | Path) -> None:
        figures.append(Drawn(figure, []))
        FigureCanvasAgg(figure).draw()

    monkeypatch.setattr(Text, "draw", record)
    monkeypatch.setattr(canvas, "save", collect)
    return figures
