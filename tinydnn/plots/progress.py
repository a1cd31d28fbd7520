"""Training progress: accuracy, loss and learning rate by iteration, with the epochs marked."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLACK, BLUE, GREY, LIGHT, VERMILION
from tinydnn.plots.scale import iteration_ticks, loss_scale
from tinydnn.training.protocol import Record, Step, Validation
from tinydnn.words import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, BODY, ROW = 10.0, 6.9, 0.2  # inches: the figure, its axes, a line of labels above them
FEW = 40  # up to this number of points, each has a marker
NO_MARKS: Mapping[int, str] = {}

Values = npt.NDArray[np.float64]


def training_progress(
    records: Sequence[Record],
    *,
    title: str,
    note: str = "",
    held_out: str = "test",
    best_epoch: int | None = None,
    thaws: Mapping[int, str] = NO_MARKS,
) -> "Figure":
    """Plot the records of a training run, in the style of MATLAB's training-progress window.

    held_out: the set on which the validations were made, "validation" or "test". best_epoch: marked, with the values of
    its validation. thaws: a label for each epoch that begins with layers thawing.

    The thin line shows each mini-batch, the bold line its `smooth`ed values, the label at the right end the last value
    of the held-out set. See `loss_scale` for the scale of a loss with spikes.

    Raises ValueError for records without a step.
    """
    steps = [record for record in records if isinstance(record, Step)]
    validations = [record for record in records if isinstance(record, Validation)]
    if not steps:
        raise ValueError("records: expected at least one step, found none")
    marks = [(_first(steps, epoch) - 0.5, label) for epoch, label in thaws.items() if epoch <= steps[-1].epoch]
    marks += [(best.iteration, _label(best)) for best in validations if best.epoch == best_epoch]
    note = f"{count(len(steps), 'iteration')} in {_duration(sum(step.seconds for step in steps))}. {note}"
    with canvas.style():
        figure = canvas.new_figure(WIDTH, BODY + ROW * len(marks), "Training progress", title, note)
        panels = figure.subplots(3, sharex=True, height_ratios=(2.7, 1.9, 0.7))
        accuracy, loss, rate = panels
        first, last = min(1, *(record.iteration for record in records)), steps[-1].iteration
        accuracy.set(ylabel="Accuracy (%)", ylim=(0, 103), xlim=(first - 0.5, last + 0.5))
        legend = _curves(accuracy, steps, validations, "accuracy", 100, BLUE, "{:.1f} %")
        loss_legend = _curves(loss, steps, validations, "loss", 1, VERMILION, "{:#.3g}")
        loss.set_ylabel("Loss")
        loss_scale(loss, np.array([record.loss for record in records]))
        rate.plot(
            [step.iteration for step in steps], [step.learning_rate for step in steps], color=BLACK, linewidth=1.2
        )
        rate.set(
            ylabel="Learning\nrate", xlabel="Iteration", ylim=(0, 1.15 * max(step.learning_rate for step in steps))
        )
        iteration_ticks(rate, last)
        for axes in panels:
            axes.grid(visible=True, axis="y")
        figure.align_ylabels()
        _epochs(panels, steps)
        _marks(panels, marks)
        _legend(figure, legend, loss_legend, held_out)
    return figure


def smooth(values: npt.ArrayLike) -> Values:
    """Smooth a series x (I,) by a Gaussian mean: sᵢ = Σⱼ w(i−j) xⱼ / Σⱼ w(i−j).

    w(d) = exp(−d² / 2σ²) for |d| <= ⌊3σ + ½⌋, else 0; σ is I/80, but at least 1 and at most 30. At the ends the series
    is continued by its mirror image.
    """
    from scipy import ndimage

    x = np.asarray(values, dtype=float)
    sigma = min(max(len(x) / 80, 1.0), 30.0)
    smoothed: Values = ndimage.gaussian_filter1d(x, sigma, mode="reflect", truncate=3.0)
    return smoothed


def _curves(
    axes: "Axes",
    steps: Sequence[Step],
    validations: Sequence[Validation],
    quantity: str,
    factor: int,
    colour: str,
    label: str,
) -> list[Any]:
    """Draw the curves of training and of the held-out set; return the lines for the legend."""
    x, y = [step.iteration for step in steps], factor * np.array([getattr(step, quantity) for step in steps])
    raw_marker, bold_marker = "o" if len(x) <= FEW else "", "o" if len(x) == 1 else ""
    (raw,) = axes.plot(x, y, color=colour, alpha=0.45, linewidth=0.8, marker=raw_marker, markersize=2.5)
    (bold,) = axes.plot(x, smooth(y), color=colour, linewidth=2.2, solid_capstyle="round", marker=bold_marker)
    if not validations:
        return [raw, bold]
    x, y = [record.iteration for record in validations], factor * np.array([getattr(v, quantity) for v in validations])
    size = 4.5 if len(x) <= FEW else 2.0
    (dashed,) = axes.plot(x, y, "--o", color=BLACK, linewidth=1.2, markersize=size, clip_on=False, zorder=4)
    axes.hlines(y[-1], x[-1], axes.get_xlim()[1], color=GREY, linewidth=0.8, linestyle=":")
    axes.annotate(
        label.format(y[-1]),
        (1, y[-1]),
        xycoords=axes.get_yaxis_transform(),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        weight="bold",
    )
    return [raw, bold, dashed]


def _epochs(panels: Sequence["Axes"], steps: Sequence[Step]) -> None:
    """Mark epochs by alternating bands, more than ten in groups, so that the labels fit."""
    epochs = steps[-1].epoch
    sizes = (step * 10**power for power in range(12) for step in (1, 2, 5))
    group = 1 if epochs <= 10 else next(size for size in sizes if epochs <= 7 * size)
    widest = 0.0
    for band, start in enumerate(range(1, epochs + 1, group)):
        end = min(start + group - 1, epochs)
        left = _first(steps, start) - 0.5
        right = (_first(steps, end + 1) if end < epochs else steps[-1].iteration + 1) - 0.5
        if band % 2:
            for axes in panels:
                axes.axvspan(left, right, color=LIGHT, zorder=0, linewidth=0)
        # The band of an interrupted epoch may be too narrow for its label.
        widest = max(widest, right - left)
        if right - left > 0.6 * widest:
            name = f"Epoch {end}" if end == start else f"Epochs {start}–{end}"
            _above(panels[0], (left + right) / 2, 0, name, ha="center", size=8, color=GREY)


def _marks(panels: Sequence["Axes"], marks: Sequence[tuple[float, str]]) -> None:
    """Draw a vertical line for each mark, and its label in a row of its own above the epochs."""
    for row, (x, label) in enumerate(marks, start=1):
        for axes in panels:
            axes.axvline(x, color=BLACK, linewidth=1, linestyle="-.")
        left, right = panels[0].get_xlim()
        if x < (left + right) / 2:
            _above(panels[0], x, row, f"↓ {label}", ha="left", size=8.5, shift=-4)
        else:
            _above(panels[0], x, row, f"{label} ↓", ha="right", size=8.5, shift=4)


def _above(axes: "Axes", x: float, row: int, text: str, shift: float = 0, **properties: Any) -> None:
    """Write a label above the axes, in a row counted from the lowest; shift: to the right, in points."""
    axes.annotate(
        text,
        (x, 1),
        xycoords=axes.get_xaxis_transform(),
        xytext=(shift, 4 + 72 * ROW * row),
        textcoords="offset points",
        **properties,
    )


def _legend(figure: "Figure", upper: list[Any], lower: list[Any], held_out: str) -> None:
    """Explain the lines of the upper two panels in one row at the bottom."""
    from matplotlib.legend_handler import HandlerTuple

    names = ["training, each mini-batch", "training, smoothed", held_out]
    handles: list[Any] = [*zip(upper[:2], lower[:2], strict=True), *upper[2:]]
    figure.legend(
        handles,
        names[: len(upper)],
        loc="outside lower center",
        ncols=3,
        handlelength=3.2,
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.4)},
    )


def _first(steps: Sequence[Step], epoch: int) -> int:
    """The first iteration of an epoch."""
    return next(step.iteration for step in steps if step.epoch == epoch)


def _label(best: Validation) -> str:
    return f"best epoch: {best.epoch} ({100 * best.accuracy:.1f} %, loss {best.loss:#.3g})"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, hours = round(seconds / 60), seconds / 3600
    return f"{minutes} min" if minutes < 100 else f"{hours:.1f} h"
