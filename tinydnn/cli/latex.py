"""The worked example as a LaTeX document."""

import re
from collections.abc import Iterable

from tinydnn.cli.worked_lines import Section

PREAMBLE = r"""\documentclass{article}
\usepackage[a4paper,landscape,margin=15mm]{geometry}
\usepackage{amsmath}
\allowdisplaybreaks
\setlength{\parindent}{0pt}
\renewcommand{\arraystretch}{1.7}
\begin{document}
"""

SYMBOLS = {"·": r"\cdot ", "←": r"\leftarrow ", "²": "^2", "ŷ": r"\hat{y}"} | {
    letter: rf"\{name} " for letter, name in {"α": "alpha", "δ": "delta", "θ": "theta", "σ": "sigma"}.items()
}
SUBSCRIPTS = str.maketrans("₁₂₃", "123")


def document(sections: Iterable[Section]) -> str:
    """A complete document, which pdflatex compiles without further files."""
    return PREAMBLE + "\n".join(line for section in sections for line in _section(section)) + "\n\\end{document}\n"


def formula(text: str) -> str:
    """A formula of `worked_lines` in LaTeX's notation, for math mode."""
    text = re.sub(r"∂E/∂([^\s=`]+)", r"\\frac{\\partial E}{\\partial \1}", text)
    text = re.sub(r"1 / \(1 \+ e\^([^)]+)\)", r"\\frac{1}{1 + e^{\1}}", text)
    text = re.sub(r"\((E.*)\) / 2h", r"\\frac{\1}{2h}", text)
    text = re.sub(r"(?<=\d)e([+-]\d+)", lambda match: rf" \cdot 10^{{{int(match[1])}}}", text)
    text = re.sub(r"[₁₂₃]+", lambda match: f"_{{{match[0].translate(SUBSCRIPTS)}}}", text)
    for symbol, command in SYMBOLS.items():
        text = text.replace(symbol, command)
    return text.replace("   ", r" \quad ")


def _section(section: Section) -> list[str]:
    lines = [rf"\section*{{{section.heading}}}", _sentence(section.before)]
    if section.formulas:
        rows = [re.sub(r" (=|←|\\leftarrow) ", r" &\1 ", formula(row), count=1) for row in section.formulas]
        lines += [r"\begin{align*}", " \\\\\n".join(rows), r"\end{align*}"]
    if section.table:
        rows = [" & ".join(map(_sentence, row)) for row in section.table]
        columns = "l" + "r" * (len(section.table[0]) - 1)
        lines += [
            r"\begin{center}",
            rf"\begin{{tabular}}{{{columns}}}",
            " \\\\\n".join(rows),
            r"\end{tabular}",
            r"\end{center}",
        ]
    return [line for line in [*lines, _sentence(section.after)] if line]


def _sentence(text: str) -> str:
    """Text whose formulas stand in backticks."""
    return re.sub("`([^`]*)`", lambda match: f"${formula(match[1])}$", text)
