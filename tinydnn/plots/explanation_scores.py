"""Scores of explanations against the masks of the tumours, method by method."""

from typing import TYPE_CHECKING, Any

from tinydnn.explain.mask_scores import MASK_SCORES
from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLUE, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, ROW = 9.6, 0.27  # inches


def explanation_scores(*, report: dict[str, Any], title: str, note: str = "") -> "Figure":
    """Plot the scores of an explanation report (see `tinydnn.runs.explanation_report`).

    A panel for each score, a row for each method: the mean over slices with its 95 % interval. The methods are sorted
    by average precision; below the line are the baselines, which know nothing of the network.
    """
    methods, baselines = (
        sorted(
            (entry for entry in report["methods"] if entry["baseline"] == baseline),
            key=lambda entry: -entry["scores"]["all"][MASK_SCORES[-1].name]["mean"],
        )
        for baseline in (False, True)
    )
    rows = [*methods, *baselines]
    with canvas.style():
        figure = canvas.new_figure(WIDTH, ROW * len(rows) + 1.1, "Do explanations find the tumour?", title, note)
        panels = figure.subplots(1, len(MASK_SCORES), sharey=True)
        for axes, score in zip(panels, MASK_SCORES, strict=True):
            for y, entry in enumerate(rows):
                _dot(axes, y, entry["scores"]["all"][score.name], GREY if entry["baseline"] else BLUE)
            axes.axhline(len(methods) - 0.5, color=GREY, linewidth=0.8)
            axes.set_title(score.title, fontsize=9)
            axes.set_xlim(0, None)
            axes.set_xlabel("%")
            axes.grid(visible=True, axis="x")
            axes.spines["left"].set_visible(False)
            axes.tick_params(left=False)
        panels[0].set_yticks(range(len(rows)), [_label(entry, report) for entry in rows])
        panels[0].set_ylim(len(rows) - 0.4, -0.6)
    return figure


def _dot(axes: "Axes", y: float, score: dict[str, Any], colour: str) -> None:
    if score["interval_95"] is not None:
        bounds = [100 * bound for bound in score["interval_95"]]
        axes.plot(bounds, [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
    axes.plot(100 * score["mean"], y, "o", color=colour, markersize=5, clip_on=False)


def _label(entry: dict[str, Any], report: dict[str, Any]) -> str:
    """The title of a method, with its number of slices where that is not the number of all."""
    slices = entry["scores"]["all"]["slices"]
    return entry["title"] + ("" if slices == report["protocol"]["slices"] else f" ({slices} slices)")
