"""ROC curves: how well the probability of each class ranks its slices above the others."""

from typing import Any

import numpy as np

from tinydnn.metrics import auc, auc_interval, roc_curve
from tinydnn.runs.html_report import svg
from tinydnn.runs.html_report.results import Results
from tinydnn.runs.html_report.section import Section


def ranking(results: Results) -> Section:
    """The ROC curve of each class against the rest, and the areas with their intervals."""
    rows = []
    with svg.panel(width=3.9, height=3.9) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=svg.MUTED, linewidth=1, linestyle=(0, (1, 3)), label="chance")
        for k, name in enumerate(results.class_names):
            positive, scores = results.labels == k, results.probabilities[:, k]
            rows.append(areas(name, positive, scores, results.units))
            if rows[-1]["area"] is not None:
                x, y = roc_curve(positive, scores)
                axes.plot(
                    x, y, color=svg.class_colour(k), linestyle=svg.class_dashes(k), linewidth=1.8, label=svg.short(name)
                )
        axes.set(xlabel="False positive rate", ylabel="True positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.set_aspect("equal")
        axes.grid(visible=True)
        axes.legend(loc="lower right", fontsize=8)
        known = [f"{row['name']} {row['area']:.3f}" for row in rows if row["area"] is not None]
        figure_label = f"ROC curves, one class against the rest; areas: {', '.join(known)}"
        plot = svg.inline(figure, "roc", figure_label)
    return Section(
        "ranking", "Ranking: ROC curves", {"plot": plot, "rows": rows, "over": results.metrics["interval_over"]}
    )


def areas(name: str, positive: np.ndarray, scores: np.ndarray, units: np.ndarray) -> dict[str, Any]:
    """The area under the ROC curve of a class with its interval; None if the class, or any other, has no slices."""
    if positive.all() or not positive.any():
        return {"name": name, "area": None, "interval": None}
    return {"name": name, "area": auc(positive, scores), "interval": auc_interval(positive, scores, units)}
