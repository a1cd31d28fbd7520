"""`tinydnn worked-example`: one step of gradient descent, computed as on paper."""

from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli.app import app
from tinydnn.cli.worked_lines import Section, sections
from tinydnn.errors import InputError
from tinydnn.models import worked_example as example
from tinydnn.plots import check_suffix

LARGEST = 100.0


def _joined(numbers: Iterable[float]) -> str:
    return ",".join(f"{number:g}" for number in numbers)


@app.command(
    "worked-example", examples=("tinydnn worked-example", "tinydnn worked-example --x 1,-0.5 --y 0 --alpha 0.5")
)
def worked_example(
    x: Annotated[str, typer.Option("--x", help="Inputs x₁,x₂.")] = _joined(example.X),
    y: Annotated[float, typer.Option("--y", help="Label, from 0 to 1.")] = example.LABEL,
    alpha: Annotated[float, typer.Option(help="Learning rate α.")] = example.LEARNING_RATE,
    w: Annotated[str, typer.Option("--w", help="Weights of the hidden units: w₁₁,w₁₂,w₂₁,w₂₂,w₃₁,w₃₂.")] = _joined(
        weight for row in example.HIDDEN for weight in row
    ),
    b: Annotated[str, typer.Option("--b", help="Biases of the hidden units: b₁,b₂,b₃.")] = _joined(example.HIDDEN_BIAS),
    v: Annotated[str, typer.Option("--v", help="Weights of the output: v₁,v₂,v₃.")] = _joined(example.OUTPUT),
    c: Annotated[
        float | None,
        typer.Option("--c", help="Bias of the output; by default 0.2547…, which predicts 0.7 with the other defaults."),
    ] = None,
    latex: Annotated[Path | None, typer.Option(help="Also write it as a LaTeX document, a .tex file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Also draw the network, as a .png, .svg or .pdf file.")] = None,
) -> None:
    """Work the paper's example: a 2-3-1 network learns from one pair of inputs.

    By default it gives the paper's values ŷ = 0.7, E = 0.09 and ∂E/∂s = -0.126; the weights that lead to them are ours.
    """
    import numpy as np

    from tinydnn.cli.display import say

    if latex is not None and latex.suffix.lower() != ".tex":
        raise InputError(f"--latex: expected a name that ends in .tex, found {latex}")
    if plot is not None:
        check_suffix(plot, "--plot")
    inputs = _numbers("--x", x, 2)
    label, learning_rate = _number("--y", y, 0, 1), _number("--alpha", alpha, 0, LARGEST)
    if learning_rate == 0:
        raise InputError("--alpha: expected a number above 0, found 0")
    weights = example.Parameters(
        np.array(_numbers("--w", w, 6)).reshape(3, 2),
        np.array(_numbers("--b", b, 3)),
        np.array(_numbers("--v", v, 3)),
        example.output_bias() if c is None else _number("--c", c, -LARGEST, LARGEST),
    )
    worked = example.worked_example(inputs, label, learning_rate, weights)
    document = sections(worked)
    for section in document:
        say(_text(section) + "\n")
    if latex is not None:
        from tinydnn.cli.latex import document as latex_document
        from tinydnn.storage import atomic_write

        with atomic_write(latex) as path:
            path.write_text(latex_document(document))
        say(f"{latex}: the example as a LaTeX document")
    if plot is not None:
        from tinydnn import plots

        plots.save(plots.network(worked), plot)
        say(f"{plot}: the network with its values and gradients")


def _numbers(option: str, text: str, count: int) -> tuple[float, ...]:
    expected = f"{option}: expected {count} numbers separated by commas, found {text!r}"
    try:
        numbers = [float(number) for number in text.split(",")]
    except ValueError:
        raise InputError(expected) from None
    if len(numbers) != count:
        raise InputError(expected)
    return tuple(_number(option, number, -LARGEST, LARGEST) for number in numbers)


def _number(option: str, number: float, least: float, most: float) -> float:
    if not (isfinite(number) and least <= number <= most):
        raise InputError(f"{option}: expected a number from {least:g} to {most:g}, found {number:g}")
    return number


def _text(section: Section) -> str:
    """A section in plain text, with the left sides of its formulas and the columns of its table aligned."""
    sides = [formula.partition(" ")[0] for formula in section.formulas]
    width = 0 if any("   " in formula for formula in section.formulas) else max(map(len, sides), default=0)
    lines = [section.heading, section.before]
    for side, formula in zip(sides, section.formulas, strict=True):
        lines.append(f"  {side:{width}}{formula.removeprefix(side)}")
    widths = [max(map(len, column)) for column in zip(*section.table, strict=True)]
    for first, *rest in section.table:
        cells = "".join(f"  {cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True))
        lines.append(f"  {first:{widths[0]}}{cells}")
    return "\n".join(line for line in [*lines, section.after] if line).replace("`", "")
