"""The drawing of the worked example: all values and gradients, no text over another, and enough contrast."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from tinydnn import plots
from tinydnn.models.worked_example import Parameters, worked_example

LONG = Parameters(
    np.array([[-1e-5, -88.12345], [3, 4], [-0.00012345, 60]]), np.array([1, -2, -1.2345e-5]),
    np.array([-1.23456, -88.888, 3]), -99.999,
)  # fmt: skip
EXAMPLES = {
    "the paper's": lambda: worked_example(),
    "long numbers": lambda: worked_example((-99.1234, -0.000123456), 0.123456, 0.1, LONG),
}


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinydnn.models.worked_example.LATER", (1,))


@pytest.fixture(params=EXAMPLES.values(), ids=EXAMPLES)
def drawn(request: Any, few_iterations: None) -> tuple[Figure, list[Text]]:
    figure = plots.network(request.param())
    FigureCanvasAgg(figure).draw()
    return figure, [text for text in figure.findobj(Text) if text.get_text()]


def luminance(colour: Any) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_no_text_covers_another_or_leaves_the_figure(drawn: tuple[Figure, list[Text]]) -> None:
    figure, texts = drawn
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in texts]
    for words, box in boxes:
        assert box.x0 >= 0 <= box.y0, words
        assert box.x1 <= figure.bbox.width, words
        assert box.y1 <= figure.bbox.height, words
    for (words, box), (others, other) in combinations(boxes, 2):
        assert not box.overlaps(other), f"{words!r} and {others!r}"


def test_every_text_has_a_contrast_of_four_and_a_half_to_white(drawn: tuple[Figure, list[Text]]) -> None:
    for text in drawn[1]:
        assert 1.05 / (luminance(text.get_color()) + 0.05) >= 4.5, text.get_text()


def test_every_value_and_gradient_is_shown() -> None:
    example = worked_example()
    words = {text.get_text() for text in plots.network(example).findobj(Text)}
    assert {"w₁₂ = −0.4", "∂E/∂w₁₂ = −0.01255", "b₃ = 0.3", "∂E/∂b₃ = −0.02242", "v₂ = −0.3", "∂E/∂c = −0.126"} <= words
    assert {"x₁", "x₂", "h₁", "h₂", "h₃", "ŷ", "0.5", "0.8", "0.47", "0.5842", "0.666", "0.7"} <= words
    gradients = [word for word in words if word.startswith("∂E/∂")]
    assert len(gradients) == 13
