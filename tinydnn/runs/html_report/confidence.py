"""Calibration: whether the network is right as often as its probabilities say."""

import numpy as np

from tinydnn.metrics import calibration
from tinydnn.runs.html_report import svg
from tinydnn.runs.html_report.results import Results
from tinydnn.runs.html_report.section import Section


def confidence(results: Results) -> Section:
    """The reliability diagram and the expected calibration error."""
    found = calibration(results.probabilities, results.labels)
    filled = np.flatnonzero(found.counts)
    centres, width = (found.edges[:-1] + found.edges[1:]) / 2, found.edges[1]
    with svg.panel(width=3.9, height=3.9) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=svg.MUTED, linewidth=1, linestyle=(0, (1, 3)), label="perfectly calibrated")
        axes.bar(
            centres[filled], found.accuracy[filled], width, color=svg.class_colour(0), alpha=0.35,
            edgecolor=svg.PAPER, linewidth=1, label="share correct",
        )  # fmt: skip
        axes.plot(
            found.confidence[filled], found.accuracy[filled], "o", color=svg.INK, markersize=4.5, clip_on=False,
            label="mean confidence",
        )  # fmt: skip
        axes.set(xlabel="Confidence, the largest probability", ylabel="Share correct", xlim=(0, 1), ylim=(0, 1.01))
        axes.set_aspect("equal")
        axes.grid(visible=True)
        axes.legend(loc="upper left", fontsize=8)
        label = f"Reliability diagram: share correct by confidence; expected calibration error {found.error:.3f}"
        plot = svg.inline(figure, "reliability", label)
    gap = float(results.probabilities.max(axis=1).mean() - results.correct.mean())
    rows = [
        {
            "low": found.edges[m],
            "high": found.edges[m + 1],
            "slices": int(found.counts[m]),
            "confidence": float(found.confidence[m]),
            "accuracy": float(found.accuracy[m]),
        }
        for m in filled
    ]
    return Section("confidence", "Calibration", {"plot": plot, "rows": rows, "error": found.error, "gap": gap})
