"""Deletion, insertion and sanity checks of explanations, a small panel for each method."""

from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from tinydnn.explain.sanity import FAILED_ALL, FAILED_LAST, PASSED
from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLACK, BLUE, GREY, ORANGE, VERMILION
from tinydnn.words import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT, COLUMNS = 9.6, 1.9, 4  # inches; panels in a row
COLOURS = {"deletion": VERMILION, "insertion": BLUE}
VERDICTS = {PASSED: BLUE, FAILED_LAST: ORANGE, FAILED_ALL: VERMILION}
Entry = dict[str, Any]


def faithfulness(*, report: Entry, title: str, note: str = "") -> "Figure":
    """Plot deletion and insertion curves of an explanation report (see `tinydnn.runs.explanation_report`).

    Grey curves are those of chance, if the report has it.
    """
    chance = [entry for entry in report["methods"] if entry["name"] == "chance"]

    def draw(axes: "Axes", entry: Entry) -> None:
        for name, colour in COLOURS.items():
            for other in chance:
                axes.plot(*_curve(other, name), color=GREY, linewidth=0.8)
            axes.plot(*_curve(entry, name), color=colour, linewidth=1.6)
        axes.set(xlim=(0, 100), ylim=(0, 102), xticks=(0, 50, 100), yticks=(0, 50, 100))
        areas = (f"{100 * entry['faithfulness'][name]['mean']:.0f} %" for name in COLOURS)
        axes.set_title(f"{entry['title']}\nareas {' and '.join(areas)}", fontsize=8.5)

    labels = ("pixels, %", "probability, %")
    legend = {**COLOURS, "chance": GREY} if chance else COLOURS
    return _panels(report, draw, ("Are the relevant pixels those that the network uses?", title, note), labels, legend)


def sanity(*, report: Entry, title: str, note: str = "") -> "Figure":
    """Plot the cascading randomisation of an explanation report (see `tinydnn.runs.explanation_report`).

    The correlation of the maps with those of the trained network, after each layer that was randomised, from the last
    to the first. The cross at the end is the correlation of two networks that are both random.
    """
    from matplotlib.ticker import MaxNLocator

    results = [entry["sanity"] for entry in report["methods"]]
    lowest = min(min(result["random_pair"], *result["correlations"]) for result in results)

    def draw(axes: "Axes", entry: Entry) -> None:
        result = entry["sanity"]
        colour = VERDICTS[result["verdict"]]
        curve = [1.0, *result["correlations"]]
        axes.axhline(report["strong_correlation"], color=GREY, linewidth=0.8, linestyle="--")
        axes.plot(range(len(curve)), curve, "o-", color=colour, markersize=3, linewidth=1.4, clip_on=False)
        axes.plot(len(curve) - 1, result["random_pair"], "x", color=BLACK, markersize=6, clip_on=False)
        axes.set(xlim=(0, len(curve) - 1), ylim=(min(0, lowest) - 0.04, 1.04), yticks=(0, 0.5, 1))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        verdict = f"{result['verdict']}, {count(result['slices'], 'slice')}"
        axes.set_title(f"{entry['title']}\n{verdict}", fontsize=8.5)

    labels = ("random layers", "rank correlation")
    return _panels(report, draw, ("Do explanations depend on the weights?", title, note), labels, VERDICTS)


def _curve(entry: Entry, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The pixels that are removed or inserted, and the probability, in percent."""
    curve = 100 * np.array(entry["faithfulness"][f"{name}_curve"])
    return np.linspace(0, 100, len(curve)), curve


def _panels(
    report: Entry,
    draw: Callable[["Axes", Entry], None],
    texts: tuple[str, str, str],
    labels: tuple[str, str],
    legend: dict[str, str],
) -> "Figure":
    """A panel for each method. texts: heading, title and note. legend: the colours of lines by label."""
    from matplotlib.lines import Line2D

    entries = report["methods"]
    rows = ceil(len(entries) / COLUMNS)
    with canvas.style():
        figure = canvas.new_figure(WIDTH, HEIGHT * rows + 0.5, *texts)
        panels = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True, sharey=True).flat
        for index, axes in enumerate(panels):
            axes.set_visible(index < len(entries))
            axes.grid(visible=True)
            last_in_column = index + COLUMNS >= len(entries)
            axes.tick_params(labelbottom=last_in_column)
            axes.set_xlabel(labels[0] if last_in_column else "")
            axes.set_ylabel("" if index % COLUMNS else labels[1])
        for axes, entry in zip(figure.axes, entries, strict=False):
            draw(axes, entry)
        lines = [Line2D([], [], color=colour, linewidth=1.6, label=name) for name, colour in legend.items()]
        figure.legend(handles=lines, loc="upper right", ncols=len(lines), borderaxespad=1.5)
    return figure
