"""The pictures in `results/`, drawn again from the stored results; nothing is measured.

python benchmarks/pictures.py
"""

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import report
import scaling
from matplotlib.figure import Figure
from readme import RESULTS

from tinydnn import plots

LEAKAGE = Path(__file__).parents[1] / "examples" / "leakage.py"


def pictures() -> Iterator[tuple[str, Figure]]:
    """The name and the figure of each picture, except of training progress, whose records are not stored."""
    yield "train-step", report.draw(_results("train-step"))
    yield "scaling", scaling.draw(_results("scaling"))
    yield "leakage", leakage(_results("leakage"))
    yield "crossval-best-patient", folds(_results("crossval-best-patient"))


def leakage(results: dict[str, Any]) -> Figure:
    """What `examples/leakage.py` drew on the 2451 slices."""
    slices = results["test_slices"]
    curves = {by: [count / slices for count in counts] for by, counts in results["correct"].items()}
    figure: Figure = runpy.run_path(str(LEAKAGE))["draw"](curves, results["most_frequent"] / slices, results["title"])
    return figure


def folds(results: dict[str, Any]) -> Figure:
    """The folds by patient of the recipe best."""
    return plots.folds(
        report=results,
        class_names=list(results["pooled"]["per_class"]),
        title="5 folds by patient, best",
        note="Every slice is held out once, no patient is on both sides.",
    )


def _results(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text())


def main() -> None:
    """Draw all pictures."""
    for name, figure in pictures():
        plots.save(figure, RESULTS / f"{name}.png")


if __name__ == "__main__":
    main()
