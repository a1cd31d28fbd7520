"""Cross-validation: the accuracy of each fold, and recall by class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLUE, GREY, MARGIN, VERMILION

WIDTH, ROW = 7.6, 0.3  # inches


def folds(path: str | Path, *, report: dict[str, Any], class_names: Sequence[str], title: str, note: str = "") -> None:
    """Plot the `report` of a cross-validation (see `tinydnn.runs.crossval`) into the PNG file `path`.

    A row for each fold, and one for all folds pooled: the accuracy over slices with its 95 % interval, and, if the
    patients are known, the accuracy over patients by the mean vote over their slices. Below, recall by class.
    """
    pooled = report["pooled"]
    rows = [*((f"fold {k}", fold) for k, fold in enumerate(report["each_fold"], start=1)), ("all folds", pooled)]
    recalls = [(name, pooled["per_class"][name]["recall"]) for name in class_names]
    count = len(rows) + len(recalls)
    with canvas.style():
        figure = canvas.new_figure(WIDTH, ROW * (count + 2.5) + 0.55, "Cross-validation", title, note)
        axes = canvas.axes_at(figure, 1.35, 0.5, WIDTH - 1.35 - 1.6 - MARGIN, ROW * (count + 2))
        transform, lowest = axes.get_yaxis_transform(), 100.0
        for y, (_, fold) in enumerate(rows):
            low, high = (100 * bound for bound in fold["accuracy_interval_95"])
            lowest = min(lowest, low)
            axes.plot([low, high], [y, y], color=BLUE, linewidth=1.6, solid_capstyle="butt")
            axes.plot(100 * fold["accuracy"], y, "o", color=BLUE, markersize=6)
            text = f"{fold['accuracy']:.1%} of {fold['slices']}"
            if fold["per_patient"]:
                vote = 100 * fold["per_patient"]["mean_vote"]
                lowest = min(lowest, vote)
                axes.plot(vote, y, "D", color=VERMILION, markersize=5, zorder=3)
            axes.text(1.02, y, text, transform=transform, va="center", size=8.5)
        for k, (_, recall) in enumerate(recalls):
            y = len(rows) + 1 + k
            lowest = min(lowest, 100 * (recall or 0))
            axes.plot(100 * (recall or 0), y, "s", color=GREY, markersize=6)
            axes.text(1.02, y, f"{recall or 0:.1%}", transform=transform, va="center", size=8.5)
        ticks = [*range(len(rows)), *(len(rows) + 1 + k for k in range(len(recalls)))]
        axes.set_yticks(ticks, [name for name, _ in [*rows, *recalls]])
        axes.text(0, len(rows) + 0.1, "recall by class, all folds", transform=transform, size=8.5, color=GREY)
        axes.set(xlabel="%", xlim=(max(lowest - 5, 0), 100.5), ylim=(len(rows) + len(recalls) + 0.7, -0.7))
        axes.grid(visible=True, axis="x", color="#E4E4E4", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False)
        axes.plot([], [], "o-", color=BLUE, label="slices, 95 % interval")
        if pooled["per_patient"]:
            axes.plot([], [], "D", color=VERMILION, label="patients, by vote")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8.5, borderaxespad=0)
        canvas.save(figure, path)
