"""The network of the worked example: its values, its weights, and the gradient of each."""

from typing import TYPE_CHECKING

from tinydnn.models.worked_example import WorkedExample
from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLACK, BLUE, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 11.0, 6.1  # inches; the height is that of the network alone
DARK_VERMILION = "#A84A00"  # vermilion itself is too light for text on white
RADIUS = 0.42
INPUTS = ((1.0, 4.55), (1.0, 1.95))
HIDDEN = ((5.5, 5.45), (5.5, 3.25), (5.5, 1.05))
OUTPUT = (9.6, 3.25)
SUBSCRIPTS = "₁₂₃"

Point = tuple[float, float]


def network(e: WorkedExample) -> "Figure":
    """Draw the 2-3-1 network of `tinydnn.models.worked_example` with its values and gradients."""
    w, g = e.weights, e.gradients
    title = f"label y = {_n(e.label)}, prediction ŷ = {_n(e.prediction)}, error E = (y − ŷ)² = {_n(e.error)}"
    note = "Blue: values, weights and biases. Vermilion: the gradient of the error with respect to a weight or bias."
    with canvas.style():
        figure = canvas.new_figure(WIDTH, HEIGHT, "One step in a 2-3-1 network", title, note)
        axes = canvas.axes_at(figure, 0, 0, WIDTH, HEIGHT)
        axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
        axes.set_axis_off()
        for k, hidden in enumerate(HIDDEN):
            for i, place in enumerate(INPUTS):
                name = f"w{SUBSCRIPTS[k]}{SUBSCRIPTS[i]}"
                _edge(axes, place, hidden, 0.68, name, w.hidden[k, i], g.hidden[k, i])
            _edge(axes, hidden, OUTPUT, 0.45, f"v{SUBSCRIPTS[k]}", w.output[k], g.output[k])
        for i, place in enumerate(INPUTS):
            _unit(axes, place, f"x{SUBSCRIPTS[i]}", e.x[i])
        for k, place in enumerate(HIDDEN):
            _unit(axes, place, f"h{SUBSCRIPTS[k]}", e.hidden[k])
            _bias(axes, place, f"b{SUBSCRIPTS[k]}", w.hidden_bias[k], g.hidden_bias[k])
        _unit(axes, OUTPUT, "ŷ", e.prediction)
        _bias(axes, OUTPUT, "c", w.output_bias, g.output_bias)
    return figure


def _unit(axes: "Axes", place: Point, name: str, value: float) -> None:
    from matplotlib.patches import Circle

    axes.add_patch(Circle(place, RADIUS, facecolor="white", edgecolor=BLACK, linewidth=1.2, zorder=2))
    x, y = place
    axes.text(x, y + 0.11, name, size=10, weight="bold", ha="center", va="center", zorder=3)
    axes.text(x, y - 0.13, _n(value), size=8.5, color=BLUE, ha="center", va="center", zorder=3)


def _bias(axes: "Axes", place: Point, name: str, value: float, gradient: float) -> None:
    _weight(axes, (place[0], place[1] - RADIUS - 0.24), name, value, gradient)


def _edge(axes: "Axes", start: Point, end: Point, share: float, name: str, value: float, gradient: float) -> None:
    """A connection, with its weight and gradient at this share of the way."""
    axes.plot([start[0], end[0]], [start[1], end[1]], color=GREY, linewidth=0.9, zorder=0)
    x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
    _weight(axes, (x, y), name, value, gradient)


def _weight(axes: "Axes", place: Point, name: str, value: float, gradient: float) -> None:
    """Two lines of text on white, centred on `place`."""
    box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
    x, y = place
    axes.text(x, y + 0.02, f"{name} = {_n(value)}", size=8.5, color=BLUE, ha="center", va="bottom", bbox=box)
    text = f"∂E/∂{name} = {_n(gradient)}"
    axes.text(x, y - 0.02, text, size=8.5, color=DARK_VERMILION, ha="center", va="top", bbox=box)


def _n(number: float) -> str:
    """Four significant digits, with a minus sign as wide as a plus sign."""
    return f"{number:.4g}".replace("-", "−")
