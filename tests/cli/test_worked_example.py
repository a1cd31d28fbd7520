"""The printed worked example: every line holds for the numbers it shows, for the default values and for one's own."""

import math
import re
from dataclasses import replace
from unittest import mock

import pytest
from matplotlib import mathtext

from tinydnn.cli.latex import document, formula
from tinydnn.cli.worked_lines import sections
from tinydnn.models.worked_example import worked_example

OWN = {
    "the other label": ("--y", "0"),
    "negative inputs": ("--x", "-1.25,0.333", "--y", "0.25", "--alpha", "0.75"),
    "all values": (
        "--x", "3,-0.1", "--y", "0.9", "--alpha", "2.5", "--w", "0.11,0.22,0.33,-0.44,0.55,-0.66",
        "--b", "0.7,0.8,-0.9", "--v", "-1.1,1.2,-1.3", "--c", "0.123456",
    ),
    "zeros": ("--x", "0,0", "--w", "0,0,0,0,0,0", "--b", "0,0,0", "--v", "0,0,0", "--c", "0"),
    "units close to 1": ("--x", "4,4", "--w", "1,1,1,2,0,0.5"),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def few_iterations():
    """Ten thousand iterations take seconds."""
    with mock.patch("tinydnn.models.worked_example.LATER", (10, 100)):
        yield


@pytest.fixture(scope="module")
def default():
    return worked_example()


@pytest.fixture(scope="module", params=[(), *OWN.values()], ids=["the defaults", *OWN])
def lines(request, printed_by):
    return printed_by("worked-example", *request.param).splitlines()


def value(expression):
    """The value of a formula of numbers."""
    python = re.sub(r"e\^(-?[\d.e-]+)", r"exp(\1)", expression.replace("·", "*").replace("²", "**2"))
    assert re.fullmatch(r"[\d.e()+\-*/ xp]+", python), expression
    return eval(python, {"__builtins__": {}, "exp": math.exp})


def computed(lines):
    """(expression, result) of each line that computes a number from numbers."""
    for line in lines:
        parts = re.split(r" = | ← ", line.strip())
        if len(parts) > 1 and not re.search(r"\d   \S+ = ", line) and re.search(r"\d[)²]?[·+ -]|e\^", parts[-2]):
            yield parts[-2], parts[-1]


def test_every_result_is_that_of_the_numbers_in_its_line(lines):
    found = list(computed(lines))
    assert len(found) == 9 + 13 + 13 + 1  # forward, backward, the step, the new error
    for expression, result in found:
        assert f"{value(expression):.6g}" == result or abs(value(expression)) < 1e-15, expression


def test_a_result_is_used_again_with_the_digits_of_its_line(lines):
    """A result of six digits is the number of ten digits that later lines compute with."""
    text = "\n".join(lines)
    [delta] = re.findall(r"^  δ₁ .* = (\S+)$", text, re.MULTILINE)
    [used] = re.findall(r"∂E/∂w₁₁ = δ₁·x₁ = \(?(-?[\d.e-]+)\)?·", text)
    assert f"{float(used):.6g}" == delta


def test_the_numeric_derivative_stands_beside_each_gradient(lines):
    rows = [line.split() for line in lines if re.fullmatch(r"  ∂E/∂\S+ +\S+ +\S+ +\S+", line)]
    assert len(rows) == 13
    for _, analytic, numeric, difference in rows:
        assert float(analytic) == pytest.approx(float(numeric), abs=1e-9)
        assert float(difference) < 1e-9
    assert "here with h = 1e-05." in " ".join(lines)


def test_the_command_prints_every_number_of_the_default_example(default, printed_by):
    example, printed = default, printed_by("worked-example")
    for line in ("ŷ  = σ(s) = 1 / (1 + e^-0.8472978604) = 0.7", "E  = (y - ŷ)² = (1 - 0.7)² = 0.09", "= -0.126"):
        assert line in printed
    numbers = [example.output_sum, example.error_after, *example.hidden_gradient]
    for values in (example.weights, example.gradients, example.updated):
        numbers += [*values.hidden.flat, *values.hidden_bias, *values.output]
    for number in [*numbers, *example.hidden_sum, *example.hidden]:
        assert f"{number:.6g}" in printed
    for number in [example.prediction_after, *example.later.values(), example.weights.output_bias]:
        assert f"{number:.10g}" in printed


@pytest.mark.parametrize(
    ("label", "predictions", "sentence"),
    [
        (1.0, (0.75, 0.9), "The error falls from row to row: the prediction approaches the label `y = 1`."),
        (0.0, (0.5, 0.1), "The error falls from row to row: the prediction approaches the label `y = 0`."),
        (1.0, (0.71, 0.72), "The error is less than at first, `0.0784` after `0.09`; the label is `y = 1`."),
        (1.0, (0.6, 0.95), "The error is less than at first, `0.0025` after `0.09`; the label is `y = 1`."),
        (1.0, (0.9, 0.7), "The error is not less than at first, `0.09` after `0.09`; the label is `y = 1`."),
    ],
)
def test_what_is_said_of_later_iterations_is_what_happened(label, predictions, sentence, default):
    later = dict(zip((10, 100), predictions, strict=True))
    example = replace(default, label=label, error=(label - 0.7) ** 2, later=later)
    assert sections(example)[-1].after == sentence


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (0.08, "The error is less than before the step, when it was `0.09`."),
        (0.1, "The error is more than before the step, when it was `0.09`."),
        (0.09, "The error is `0.09`, as before."),
    ],
)
def test_what_is_said_of_the_step_is_what_happened(error, sentence, default):
    assert sections(replace(default, error=0.09, error_after=error))[-2].after == sentence


def test_a_step_too_long_is_described_as_one(printed_by):
    printed = printed_by("worked-example", "--y", "0.5", "--alpha", "100")
    assert "The error is more than before the step, when it was 0.04." in printed
    assert "The error is not less than at first" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--x", "1"), "--x: expected 2 numbers separated by commas, found '1'"),
        (("--w", "1,2,3,4,5,b"), "--w: expected 6 numbers separated by commas, found '1,2,3,4,5,b'"),
        (("--b", "1,2,3,"), "--b: expected 3 numbers separated by commas, found '1,2,3,'"),
        (("--v", "1,2,nan"), "--v: expected a number from -100 to 100, found nan"),
        (("--c", "inf"), "--c: expected a number from -100 to 100, found inf"),
        (("--x", "1,200"), "--x: expected a number from -100 to 100, found 200"),
        (("--y", "2"), "--y: expected a number from 0 to 1, found 2"),
        (("--alpha", "-1"), "--alpha: expected a number from 0 to 100, found -1"),
        (("--alpha", "0"), "--alpha: expected a number above 0, found 0"),
        (("--latex", "a.pdf"), "--latex: expected a name that ends in .tex, found a.pdf"),
        (("--plot", "a.gif"), "--plot: expected a name that ends in .png, .svg or .pdf, found a.gif"),
    ],
)
def test_an_invalid_value_is_named_in_one_line(options, message, command):
    result = command("worked-example", *options)
    assert (result.status, result.out, result.err) == (2, "", f"tinydnn: {message}\n")


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_network_is_drawn_into_a_file(command, tmp_path, suffix, start):
    path = tmp_path / f"network{suffix}"
    result = command("worked-example", "--plot", path)
    assert result.status == 0
    assert f"{path}: the network with its values and gradients" in result.out
    assert path.read_bytes().startswith(start)


def test_the_latex_document_has_every_formula(command, tmp_path):
    path = tmp_path / "example.tex"
    assert command("worked-example", "--latex", path).status == 0
    text = path.read_text()
    assert text.isascii()
    assert text.startswith("\\documentclass")
    assert text.endswith("\\end{document}\n")
    for environment in set(re.findall(r"\\begin\{(.*?)\}", text)):
        assert text.count(f"\\begin{{{environment}}}") == text.count(f"\\end{{{environment}}}")
    for part in (r"\frac{\partial E}{\partial w_{12}} &= \delta _{1}\cdot x_{2} =", r"\hat{y}", r"e^{-0.34}"):
        assert part in text


def test_every_formula_is_valid_latex(default):
    parser = mathtext.MathTextParser("path")
    for section in sections(default):
        sentences = [section.before, section.after, *(cell for row in section.table for cell in row)]
        formulas = [*section.formulas, *(part for text in sentences for part in re.findall("`(.*?)`", text))]
        for part in formulas:
            parser.parse(f"${formula(part)}$")
    assert document([]).count("{document}") == 2
