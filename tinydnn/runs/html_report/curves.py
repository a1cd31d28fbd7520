"""Training curves: accuracy and loss by iteration."""

from collections.abc import Callable

import numpy as np
from markupsafe import Markup

from tinydnn.plots.progress import smooth
from tinydnn.runs.html_report import svg
from tinydnn.runs.html_report.results import Results
from tinydnn.runs.html_report.section import Section
from tinydnn.training.protocol import Record, Step, Validation


def curves(results: Results) -> Section:
    """Accuracy and loss of the batches, and of the held-out slices after each epoch."""
    best = results.metrics["best_epoch"]
    held_out = "validation set" if best else "test set"
    panels = [
        _panel(results, "accuracy", "Accuracy (%)", lambda record: 100 * record.accuracy, held_out),
        _panel(results, "loss", "Loss", lambda record: record.loss, held_out),
    ]
    return Section(
        "curves",
        "Training",
        {
            "panels": panels,
            "held_out": held_out,
            "best": best,
            "views": results.metrics["views"],
        },
    )


def _panel(results: Results, name: str, title: str, value: Callable[[Record], float], held_out: str) -> Markup:
    steps = [record for record in results.records if isinstance(record, Step)]
    validations = [record for record in results.records if isinstance(record, Validation)]
    held = np.array([value(record) for record in validations])
    colour = svg.class_colour(0 if name == "accuracy" else 1)
    with svg.panel() as (figure, axes):
        x, y = [step.iteration for step in steps], np.array([value(step) for step in steps])
        top = 102 if name == "accuracy" else _top(y, held)
        axes.plot(x, y, color=colour, alpha=0.4, linewidth=0.8)
        axes.plot(x, smooth(y), color=colour, linewidth=2, label="training, smoothed")
        axes.plot(
            [record.iteration for record in validations], held, "--o", color=svg.INK, linewidth=1.2, markersize=4,
            label=held_out, clip_on=bool((held > top).any()),
        )  # fmt: skip
        if best := results.metrics["best_epoch"]:
            axes.axvline(best["iteration"], color=svg.MUTED, linewidth=1, linestyle=":", label="epoch that was kept")
        axes.set(xlabel="Iteration", ylabel=title, xlim=(1, max(x[-1], 2)))
        axes.set_ylim(0, top)
        axes.grid(visible=True)
        axes.legend(loc="lower right" if name == "accuracy" else "upper right", fontsize=8)
        label = f"{title} by iteration: training batches from {y[0]:.3g} to {y[-1]:.3g}"
        if validations:
            label += f", {held_out} at the end {value(validations[-1]):.3g}"
        return svg.inline(figure, f"curve-{name}", label)


def _top(training: np.ndarray, held_out: np.ndarray) -> float:
    """The top of the axis of losses: all but the largest fit, unless they would flatten the rest."""
    usual = float(np.quantile(training, 0.98))
    return 1.05 * min(float(np.fmax.reduce([usual, *held_out])), 5 * usual)
