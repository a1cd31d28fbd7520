"""The drawing of the worked example: all values and gradients, no text over another, and enough contrast."""

from typing import Any

import numpy as np
import pytest
from legibility import draw, problems
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


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_every_text_is_legible(example: Any, few_iterations: None) -> None:
    assert problems(draw(plots.network(example()))) == []


def test_every_value_and_gradient_is_shown() -> None:
    example = worked_example()
    words = {text.get_text() for text in plots.network(example).findobj(Text)}
    assert {"w₁₂ = −0.4", "∂E/∂w₁₂ = −0.01255", "b₃ = 0.3", "∂E/∂b₃ = −0.02242", "v₂ = −0.3", "∂E/∂c = −0.126"} <= words
    assert {"x₁", "x₂", "h₁", "h₂", "h₃", "ŷ", "0.5", "0.8", "0.47", "0.5842", "0.666", "0.7"} <= words
    gradients = [word for word in words if word.startswith("∂E/∂")]
    assert len(gradients) == 13
