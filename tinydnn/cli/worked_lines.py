"""The lines of the worked example: formulas in plain Unicode, with their numbers.

Results have six significant digits. The numbers that a line computes with have at least ten, so that a calculator gives
the same result.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tinydnn.models.worked_example import STEP, Parameters, WorkedExample

UNITS = ((0, "₁"), (1, "₂"), (2, "₃"))
INPUTS = UNITS[:2]
ROUNDING = 1e-15


@dataclass(frozen=True)
class Section:
    """A heading; formulas, or a table whose first row names the columns; and sentences, with formulas in backticks."""

    heading: str
    before: str = ""
    formulas: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    after: str = ""


def sections(e: WorkedExample) -> list[Section]:
    """The whole example."""
    h = _n(STEP)
    rule = "Results have six significant digits; the numbers that a line computes with have ten or more."
    return [
        Section(
            "A network of 2 inputs, 3 hidden units and 1 output",
            f"Every unit is a sigmoid, `σ(z) = 1 / (1 + e^-z)`. {rule}",
            tuple(_values(e)),
        ),
        Section("1. Forward", formulas=tuple(_forward(e))),
        Section("2. Backward, by the chain rule", formulas=tuple(_backward(e))),
        Section(
            "3. The same gradients, by numeric derivatives",
            f"`∂E/∂θ` is close to `(E(θ + h) - E(θ - h)) / 2h`, here with `h = {h}`.",
            table=(("", "chain rule", "numeric", "difference"), *_comparison(e)),
        ),
        Section("4. A step against the gradient", "Each `θ` becomes `θ - α·∂E/∂θ`.", tuple(_step(e))),
        Section("5. Forward again, with the new weights", formulas=tuple(_again(e)), after=_first_step(e)),
        Section(
            "6. More iterations",
            table=(("iterations", "`ŷ`", "`E`"), *_later(e)),
            after=_outcome(e),
        ),
    ]  # fmt: skip


def _values(e: WorkedExample) -> Iterator[str]:
    w = e.weights
    yield f"x₁ = {_n(e.x[0])}   x₂ = {_n(e.x[1])}   y = {_n(e.label)}   α = {_n(e.learning_rate)}"
    for k, unit in UNITS:
        weights = "   ".join(f"w{unit}{of} = {_n(w.hidden[k, i])}" for i, of in INPUTS)
        yield f"{weights}   b{unit} = {_n(w.hidden_bias[k])}"
    yield "   ".join([*(f"v{unit} = {_n(w.output[k])}" for k, unit in UNITS), f"c = {_n(w.output_bias)}"])


def _forward(e: WorkedExample) -> Iterator[str]:
    w = e.weights
    for k, unit in UNITS:
        formula = " + ".join(f"w{unit}{of}·x{of}" for _, of in INPUTS)
        values = " + ".join(f"{_f(w.hidden[k, i])}·{_f(e.x[i])}" for i, _ in INPUTS)
        z = _sum(e.hidden_sum[k])
        yield f"z{unit} = {formula} + b{unit} = {values} + {_f(w.hidden_bias[k])} = {_r(z)}"
        yield f"h{unit} = σ(z{unit}) = 1 / (1 + e^{_n(-z)}) = {_r(e.hidden[k])}"
    formula = " + ".join(f"v{unit}·h{unit}" for _, unit in UNITS)
    values = " + ".join(f"{_f(w.output[k])}·{_f(e.hidden[k])}" for k, _ in UNITS)
    s = _sum(e.output_sum)
    yield f"s = {formula} + c = {values} + {_f(w.output_bias)} = {_r(s)}"
    yield f"ŷ = σ(s) = 1 / (1 + e^{_n(-s)}) = {_r(e.prediction)}"
    yield f"E = (y - ŷ)² = ({_n(e.label)} - {_n(e.prediction)})² = {_r(e.error)}"


def _backward(e: WorkedExample) -> Iterator[str]:
    g, d, y = e.gradients, e.output_gradient, _n(e.prediction)
    yield f"δ = ∂E/∂s = 2·(ŷ - y)·ŷ·(1 - ŷ) = 2·({y} - {_n(e.label)})·{y}·(1 - {y}) = {_r(d)}"
    for k, unit in UNITS:
        h = _n(e.hidden[k])
        values = f"{_f(d)}·{_f(e.weights.output[k])}·{h}·(1 - {h})"
        yield f"δ{unit} = ∂E/∂z{unit} = δ·v{unit}·h{unit}·(1 - h{unit}) = {values} = {_r(e.hidden_gradient[k])}"
    for k, unit in UNITS:
        yield f"∂E/∂v{unit} = δ·h{unit} = {_f(d)}·{_f(e.hidden[k])} = {_r(g.output[k])}"
    yield f"∂E/∂c = δ = {_r(g.output_bias)}"
    for k, unit in UNITS:
        for i, of in INPUTS:
            values = f"{_f(e.hidden_gradient[k])}·{_f(e.x[i])}"
            yield f"∂E/∂w{unit}{of} = δ{unit}·x{of} = {values} = {_r(g.hidden[k, i])}"
        yield f"∂E/∂b{unit} = δ{unit} = {_r(g.hidden_bias[k])}"


def _comparison(e: WorkedExample) -> Iterator[tuple[str, ...]]:
    for (name, analytic), (_, numeric) in zip(_named(e.gradients), _named(e.numeric), strict=True):
        yield f"`∂E/∂{name}`", f"`{_n(analytic)}`", f"`{_n(numeric)}`", f"`{abs(analytic - numeric):.0e}`"


def _step(e: WorkedExample) -> Iterator[str]:
    rows = zip(_named(e.weights), _named(e.gradients), _named(e.updated), strict=True)
    for (name, old), (_, gradient), (_, new) in rows:
        yield f"{name} ← {_n(old)} - {_n(e.learning_rate)}·{_f(gradient)} = {_r(new)}"


def _again(e: WorkedExample) -> Iterator[str]:
    yield f"ŷ = {_n(e.prediction_after)}"
    yield f"E = ({_n(e.label)} - {_n(e.prediction_after)})² = {_r(e.error_after)}"


def _first_step(e: WorkedExample) -> str:
    if e.error_after == e.error:
        return f"The error is `{_r(e.error)}`, as before."
    word = "less" if e.error_after < e.error else "more"
    return f"The error is {word} than before the step, when it was `{_r(e.error)}`."


def _later(e: WorkedExample) -> Iterator[tuple[str, ...]]:
    for iterations, prediction in e.later.items():
        yield str(iterations), f"`{_n(prediction)}`", f"`{_r((e.label - prediction) ** 2)}`"


def _outcome(e: WorkedExample) -> str:
    """What happened to the error, in a sentence that holds for any values."""
    errors = [e.error, *((e.label - prediction) ** 2 for prediction in e.later.values())]
    first, last, label = _r(errors[0]), _r(errors[-1]), _n(e.label)
    if errors[-1] < errors[0] / 4 and all(after < before for before, after in pairwise(errors)):  # half the distance
        return f"The error falls from row to row: the prediction approaches the label `y = {label}`."
    if errors[-1] < errors[0]:
        return f"The error is less than at first, `{last}` after `{first}`; the label is `y = {label}`."
    return f"The error is not less than at first, `{last}` after `{first}`; the label is `y = {label}`."


def _named(p: Parameters) -> Iterator[tuple[str, float]]:
    """The 13 parameters, or their gradients, by name, in the order in which the backward pass finds them."""
    for k, unit in UNITS:
        yield f"v{unit}", p.output[k]
    yield "c", p.output_bias
    for k, unit in UNITS:
        for i, of in INPUTS:
            yield f"w{unit}{of}", p.hidden[k, i]
        yield f"b{unit}", p.hidden_bias[k]


def _sum(number: float) -> float:
    """A sum; what is only the rounding of zero is 0."""
    return number if abs(number) > ROUNDING else 0.0


def _r(number: float) -> str:
    """A result: six significant digits."""
    return f"{number + 0:.6g}"


def _n(number: float) -> str:
    """A number to compute with: ten significant digits, or fifteen so close to 1 that 1 - h needs them."""
    return f"{number:.15g}" if 0.999 < abs(number) < 1 else f"{number + 0:.10g}"


def _f(number: float) -> str:
    """A number as a factor or summand: in brackets if it is negative."""
    return f"({_n(number)})" if number < 0 else _n(number)
