"""`tinydnn worked-example`: one step of gradient descent, computed as on paper."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tinydnn.cli.app import app

if TYPE_CHECKING:
    from tinydnn.models.worked_example import WorkedExample

UNITS = ((0, "₁"), (1, "₂"), (2, "₃"))
INPUTS = UNITS[:2]


@app.command("worked-example", examples=("tinydnn worked-example",))
def worked_example() -> None:
    """Work the paper's example: a 2-3-1 network learns from one pair of values."""
    from tinydnn.cli.display import say
    from tinydnn.models import worked_example as example

    worked = example.worked_example()
    for section in (_network, _forward, _backward, _step, _after):
        say("\n".join([*section(worked), ""]))


def _network(e: "WorkedExample") -> Iterator[str]:
    w = e.weights
    yield "A network of 2 inputs x, 3 hidden units h and 1 output ŷ. Every unit is a sigmoid, σ(z) = 1 / (1 + e^-z)."
    yield "Values are computed in float64 and shown to six decimals."
    yield ""
    yield f"  x₁ = {_n(e.x[0])}   x₂ = {_n(e.x[1])}   label y = {_n(e.label)}   learning rate η = {_n(e.learning_rate)}"
    for k, unit in UNITS:
        weights = "   ".join(f"w{unit}{of} = {_n(w.hidden[k, i])}" for i, of in INPUTS)
        yield f"  {weights}   b{unit} = {_n(w.hidden_bias[k])}"
    weights = "   ".join(f"v{unit} = {_n(w.output[k])}" for k, unit in UNITS)
    yield f"  {weights}   c = {_n(w.output_bias)}   (c is chosen so that ŷ = 0.7)"


def _forward(e: "WorkedExample") -> Iterator[str]:
    w = e.weights
    yield "1. Forward"
    for k, unit in UNITS:
        formula = " + ".join(f"w{unit}{of}·x{of}" for _, of in INPUTS)
        values = " + ".join(f"{_f(w.hidden[k, i])}·{_f(e.x[i])}" for i, _ in INPUTS)
        yield f"  z{unit} = {formula} + b{unit} = {values} + {_f(w.hidden_bias[k])} = {_n(e.hidden_sum[k])}"
        yield f"  h{unit} = σ(z{unit}) = 1 / (1 + e^{_n(-e.hidden_sum[k])}) = {_n(e.hidden[k])}"
    formula = " + ".join(f"v{unit}·h{unit}" for _, unit in UNITS)
    values = " + ".join(f"{_f(w.output[k])}·{_f(e.hidden[k])}" for k, _ in UNITS)
    yield f"  s = {formula} + c = {values} + {_f(w.output_bias)} = {_n(e.output_sum)}"
    yield f"  ŷ = σ(s) = 1 / (1 + e^{_n(-e.output_sum)}) = {_n(e.prediction)}"
    yield f"  E = (y - ŷ)² = ({_n(e.label)} - {_n(e.prediction)})² = {_n(e.error)}"


def _backward(e: "WorkedExample") -> Iterator[str]:
    g, d, y = e.gradients, e.output_gradient, e.prediction
    yield "2. Backward, by the chain rule"
    values = f"2·({_n(y)} - {_n(e.label)})·{_n(y)}·(1 - {_n(y)})"
    yield f"  δ  = ∂E/∂s  = 2·(ŷ - y)·ŷ·(1 - ŷ) = {values} = {_n(d)}"
    for k, unit in UNITS:
        h = _n(e.hidden[k])
        values = f"{_f(d)}·{_f(e.weights.output[k])}·{h}·(1 - {h})"
        yield f"  δ{unit} = ∂E/∂z{unit} = δ·v{unit}·h{unit}·(1 - h{unit}) = {values} = {_n(e.hidden_gradient[k])}"
    for k, unit in UNITS:
        yield f"  ∂E/∂v{unit}  = δ·h{unit} = {_f(d)}·{_f(e.hidden[k])} = {_n(g.output[k])}"
    yield f"  ∂E/∂c   = δ = {_n(g.output_bias)}"
    for k, unit in UNITS:
        for i, of in INPUTS:
            values = f"{_f(e.hidden_gradient[k])}·{_f(e.x[i])}"
            yield f"  ∂E/∂w{unit}{of} = δ{unit}·x{of} = {values} = {_n(g.hidden[k, i])}"
        yield f"  ∂E/∂b{unit}  = δ{unit} = {_n(g.hidden_bias[k])}"


def _step(e: "WorkedExample") -> Iterator[str]:
    w, g, new = e.weights, e.gradients, e.updated

    def moved(name: str, old: float, gradient: float, result: float) -> str:
        return f"  {name} = {_n(old)} - {_n(e.learning_rate)}·{_f(gradient)} = {_n(result)}"

    yield "3. A step against the gradient: each θ becomes θ - η·∂E/∂θ"
    for k, unit in UNITS:
        yield moved(f"v{unit} ", w.output[k], g.output[k], new.output[k])
    yield moved("c  ", w.output_bias, g.output_bias, new.output_bias)
    for k, unit in UNITS:
        for i, of in INPUTS:
            yield moved(f"w{unit}{of}", w.hidden[k, i], g.hidden[k, i], new.hidden[k, i])
        yield moved(f"b{unit} ", w.hidden_bias[k], g.hidden_bias[k], new.hidden_bias[k])


def _after(e: "WorkedExample") -> Iterator[str]:
    yield "4. Forward again, with the new weights"
    yield f"  ŷ = {_n(e.prediction_after)}, nearer to y = {_n(e.label)} than {_n(e.prediction)}"
    values = f"({_n(e.label)} - {_n(e.prediction_after)})²"
    yield f"  E = {values} = {_n(e.error_after)}, less than {_n(e.error)}"
    yield ""
    yield "5. After many iterations the prediction approaches the label"
    for iterations, prediction in e.later.items():
        yield f"  {iterations:>6} iterations: ŷ = {prediction:.6f}   E = {(e.label - prediction) ** 2:.6f}"


def _n(number: float) -> str:
    """The number to six decimals, without trailing zeros."""
    text = f"{number:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _f(number: float) -> str:
    """The number as a factor or summand: in brackets if it is negative."""
    return f"({_n(number)})" if number < 0 else _n(number)
