"""Accuracy of each fold of a cross-validation, and recall by class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLUE, GREY, MARGIN, VERMILION

WIDTH, ROW = 7.6, 0.3  # inches


def folds(path: str | Path, *, report: dict[str, Any], class_names: Sequence[str], title: str, note: str = "") -> None:
    """Draw a cross-validation's `report` (see `tinydnn.runs.crossval`) into the PNG file `path`.

    A row for each fold and one for all, pooled: accuracy over slices with its 95 % interval, and, where the patients
    are known, the share of patients that a vote over their slices classifies correctly; below, recall by class.
    """
    pooled = report["pooled"]
    rows = [*((f"fold {k}", one) for k, one in enumerate(report["each_fold"], start=1)), ("all folds", pooled)]
    recalls = [(name, pooled["per_class"][name]["recall"]) for name in class_names]
    count = len(rows) + len(recalls)
    with canvas.style():
        figure = canvas.new_figure(WIDTH, ROW * (count + 2.5) + 0.55, "Cross-validation", title, note)
        axes = canvas.axes_at(figure, 1.35, 0.5, WIDTH - 1.35 - 1.6 - MARGIN, ROW * (count + 2))
        lowest = 100.0
        for y, (_, one) in enumerate(rows):
            low, high = (100 * bound for bound in one["accuracy_interval_95"])
            lowest = min(lowest, low)
            axes.plot([low, high], [y, y], color=BLUE, linewidth=1.6, solid_capstyle="butt")
            axes.plot(100 * one["accuracy"], y, "o", color=BLUE, markersize=6)
            text = f"{one['accuracy']:.1%} of {one['slices']}"
            if one["per_patient"]:
                share = 100 * one["per_patient"]["mean_vote"]
                lowest = min(lowest, share)
                axes.plot(share, y, "D", color=VERMILION, markersize=5, zorder=3)
            axes.text(1.02, y, text, transform=axes.get_yaxis_transform(), va="center", size=8.5)
        for k, (_, recall) in enumerate(recalls):
            y = len(rows) + 1 + k
            lowest = min(lowest, 100 * (recall or 0))
            axes.plot(100 * (recall or 0), y, "s", color=GREY, markersize=6)
            axes.text(1.02, y, f"{recall or 0:.1%}", transform=axes.get_yaxis_transform(), va="center", size=8.5)
        ticks = [*range(len(rows)), *(len(rows) + 1 + k for k in range(len(recalls)))]
        axes.set_yticks(ticks, [name for name, _ in [*rows, *recalls]])
        place = axes.get_yaxis_transform()
        axes.text(0, len(rows) + 0.1, "recall by class, all folds", transform=place, size=8.5, color=GREY)
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
