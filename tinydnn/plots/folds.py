"""Cross-validation: the accuracy of each fold, and recall by class."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLUE, GREY, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, ROW = 7.6, 0.34  # inches
NAME_LENGTH = 24  # characters
UP, DOWN = -0.17, 0.17  # rows, from the middle of a fold to its slices and to its patients


def folds(*, report: dict[str, Any], class_names: Sequence[str], title: str, note: str = "") -> "Figure":
    """Plot the `report` of a cross-validation (see `tinydnn.runs.crossval`).

    A row for each fold, and one for all folds pooled: the accuracy over slices with its 95 % interval, and, if the
    patients are known, the accuracy over patients by the mean vote over their slices. Below, recall by class.
    """
    pooled = report["pooled"]
    rows = [*((f"fold {k}", fold) for k, fold in enumerate(report["each_fold"], start=1)), ("all folds", pooled)]
    recalls = [(name, pooled["per_class"][name]["recall"]) for name in class_names]
    known = [recall for _, recall in recalls if recall is not None]
    lowest = min([fold["accuracy_interval_95"][0] for _, fold in rows] + known)
    with canvas.style():
        figure = canvas.new_figure(WIDTH, ROW * (len(rows) + len(recalls) + 3) + 0.6, "Cross-validation", title, note)
        axes = figure.subplots()
        for y, (_, fold) in enumerate(rows):
            low, high = (100 * bound for bound in fold["accuracy_interval_95"])
            text = f"{100 * fold['accuracy']:.1f} % of {fold['slices']} slices"
            axes.plot([low, high], [y + UP, y + UP], color=BLUE, linewidth=1.6, solid_capstyle="butt")
            axes.plot(100 * fold["accuracy"], y + UP, "o", color=BLUE, markersize=6, clip_on=False)
            if patients := fold["per_patient"]:
                lowest = min(lowest, patients["mean_vote"])
                text += f"\n{100 * patients['mean_vote']:.1f} % of {patients['patients']} patients"
                # Below the interval, so that it hides none of its ends.
                axes.plot(100 * patients["mean_vote"], y + DOWN, "D", color=VERMILION, markersize=5, clip_on=False)
            _right_of(axes, y, text)
        for y, (_, recall) in enumerate(recalls, start=len(rows) + 1):
            if recall is not None:
                axes.plot(100 * recall, y, "s", color=GREY, markersize=6, clip_on=False)
            _right_of(axes, y, "–" if recall is None else f"{100 * recall:.1f} %")
        names = [*(name for name, _ in rows), "recall, all folds:", *class_names]
        axes.set_yticks(range(len(names)), [canvas.shorten(name, NAME_LENGTH) for name in names])
        axes.set(
            xlabel="Accuracy of the folds, recall of the classes (%)",
            xlim=(max(100 * lowest - 5, 0), 100),
            ylim=(len(rows) + len(recalls) + 0.6, -0.6),
        )
        axes.grid(visible=True, axis="x")
        axes.spines["left"].set_visible(False)
        axes.tick_params(left=False)
        axes.plot([], [], "o-", color=BLUE, label="over slices, with 95 % interval")
        if pooled["per_patient"]:
            axes.plot([], [], "D", color=VERMILION, label="over patients, by vote")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=8.5, borderaxespad=0)
    return figure


def _right_of(axes: Any, y: float, text: str) -> None:
    axes.annotate(text, (1.03, y), xycoords=axes.get_yaxis_transform(), va="center", size=8)
