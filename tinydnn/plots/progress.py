"""Training progress: accuracy above loss, by iteration, with the epochs marked."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLACK, BLUE, GREY, LIGHT, VERMILION
from tinydnn.plots.scale import loss_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, LEFT, RIGHT = 10.0, 0.85, 1.0  # inches: the figure, and the margins beside the axes
LEGEND, LOSS, GAP, ACCURACY, EPOCHS = 0.95, 1.9, 0.22, 2.7, 0.42  # inches, from the bottom upwards
FEW = 40  # up to this number of points, each has a marker

Values = npt.NDArray[np.float64]


def training_progress(
    path: str | Path,
    *,
    iterations: npt.ArrayLike,
    loss: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    validation_iterations: npt.ArrayLike,
    validation_loss: npt.ArrayLike,
    validation_accuracy: npt.ArrayLike,
    iterations_per_epoch: int,
    title: str,
    note: str = "",
) -> None:
    """Plot loss and accuracy into the PNG file `path`, in the style of MATLAB's training-progress window.

    iterations, loss, accuracy: (I,), one value for each training iteration, counted from 1, on its mini-batch. The
    `validation_` arrays: (V,), one value for each evaluation on held-out slices; V may be 0. Accuracies are within
    [0, 1] and shown in per cent. Values that are not finite are left out.

    The thin line shows each mini-batch, the bold line its `smooth`ed values, the label at the right end the last
    held-out value. See `loss_scale` for the scale of a loss with spikes.

    Raises ValueError for no iterations, arrays of different lengths or an accuracy outside [0, 1].
    """
    train = _columns(iterations=iterations, loss=loss, accuracy=accuracy)
    held_out = _columns(
        validation_iterations=validation_iterations,
        validation_loss=validation_loss,
        validation_accuracy=validation_accuracy,
    )
    if not len(train[0]):
        raise ValueError("iterations: expected at least one, found none")
    first, last = min([1, *held_out[0]]), max([*train[0], *held_out[0]])
    with canvas.style():
        body = LEGEND + LOSS + GAP + ACCURACY + EPOCHS
        figure = canvas.new_figure(WIDTH, body, "Training progress", title, note)
        width = WIDTH - LEFT - RIGHT
        loss_axes = canvas.axes_at(figure, LEFT, LEGEND, width, LOSS)
        accuracy_axes = canvas.axes_at(figure, LEFT, LEGEND + LOSS + GAP, width, ACCURACY)
        for axes in (accuracy_axes, loss_axes):
            axes.set_xlim(first - 0.5, last + 0.5)
        _epochs(accuracy_axes, loss_axes, last, iterations_per_epoch)
        upper = _curves(accuracy_axes, train[0], 100 * train[2], held_out[0], 100 * held_out[2], BLUE, "{:.1f} %")
        lower = _curves(loss_axes, train[0], train[1], held_out[0], held_out[1], VERMILION, "{:#.3g}")
        accuracy_axes.set_ylim(0, 103)
        loss_scale(loss_axes, np.concatenate([train[1], held_out[1]]))
        _frames(accuracy_axes, loss_axes)
        _legend(figure, upper, lower)
        canvas.save(figure, path)


def smooth(values: Values) -> Values:
    """Smooth a series (I,): a running median over ±σ values, then a mean weighted by exp(−d²/2σ²).

    σ is I/80, but at least 1 and at most 30; d is the distance in iterations. The median removes single outliers. The
    series is mirrored at its ends. NaN stays NaN and has no weight.
    """
    known = np.isfinite(values)
    result = np.full(len(values), np.nan)
    if known.any():
        sigma = min(max(1.0, len(values) / 80), 30.0)
        near, far = math.ceil(sigma), math.ceil(3 * sigma)
        padded = np.pad(values[known], near, mode="symmetric")
        medians = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * near + 1), axis=1)
        weights = np.exp(-0.5 * (np.arange(-far, far + 1) / sigma) ** 2)
        padded = np.pad(medians, far, mode="symmetric")
        result[known] = np.convolve(padded, weights / weights.sum(), mode="valid")
    return result


def _columns(**columns: npt.ArrayLike) -> list[Values]:
    """The arrays as float64, with NaN for every value that is not finite."""
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) != 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise ValueError(f"expected one-dimensional arrays of equal length, found shapes {shapes}")
    arrays = {name: np.where(np.isfinite(array), array, np.nan) for name, array in arrays.items()}
    for name, array in arrays.items():
        if name.endswith("accuracy") and ((array < 0) | (array > 1)).any():
            raise ValueError(f"{name}: expected shares in [0, 1], found {np.nanmin(array)}..{np.nanmax(array)}")
    return list(arrays.values())


def _curves(
    axes: "Axes", x: Values, y: Values, held_out_x: Values, held_out_y: Values, colour: str, label: str
) -> list[Any]:
    """Draw the curves of training and held-out slices; return the lines for the legend."""
    raw_marker, bold_marker = "o" if len(x) <= FEW else "", "o" if len(x) == 1 else ""
    (raw,) = axes.plot(x, y, color=colour, alpha=0.45, linewidth=0.8, marker=raw_marker, markersize=2.5)
    (bold,) = axes.plot(x, smooth(y), color=colour, linewidth=2.2, solid_capstyle="round", marker=bold_marker)
    known = np.flatnonzero(np.isfinite(held_out_y))
    if not len(known):
        return [raw, bold]
    size = 4.5 if len(known) <= FEW else 2.0
    (dashed,) = axes.plot(
        held_out_x, held_out_y, "--o", color=BLACK, linewidth=1.2, markersize=size, clip_on=False, zorder=4
    )
    end_x, end_y = held_out_x[known[-1]], held_out_y[known[-1]]
    axes.hlines(end_y, end_x, axes.get_xlim()[1], color=GREY, linewidth=0.8, linestyle=":")
    axes.annotate(
        label.format(end_y),
        (1, end_y),
        xycoords=axes.get_yaxis_transform(),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        weight="bold",
    )
    return [raw, bold, dashed]


def _epochs(upper: "Axes", lower: "Axes", last: float, per_epoch: int) -> None:
    """Mark epochs by alternating bands, more than ten in groups, so that the labels fit."""
    epochs = math.ceil(last / per_epoch)
    sizes = (step * 10**power for power in range(12) for step in (1, 2, 5))
    group = 1 if epochs <= 10 else next(size for size in sizes if epochs <= 7 * size)
    for band, start in enumerate(range(0, epochs, group)):
        end = min(start + group, epochs)
        left, right = start * per_epoch + 0.5, min(end * per_epoch, last) + 0.5
        if band % 2:
            for axes in (upper, lower):
                axes.axvspan(left, right, color=LIGHT, zorder=0, linewidth=0)
        # The band of an interrupted epoch may be too narrow for its label.
        if band == 0 or right - left > 0.6 * group * per_epoch:
            upper.annotate(
                f"Epoch {end}" if end == start + 1 else f"Epochs {start + 1}–{end}",
                ((left + right) / 2, 1),
                xycoords=upper.get_xaxis_transform(),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                size=8,
                color=GREY,
            )


def _frames(upper: "Axes", lower: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    upper.set_ylabel("Accuracy (%)")
    lower.set(ylabel="Loss", xlabel="Iteration")
    upper.tick_params(labelbottom=False)
    for axes in (upper, lower):
        axes.yaxis.set_label_coords(-0.058, 0.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))


def _legend(figure: "Figure", upper: list[Any], lower: list[Any]) -> None:
    """Explain the lines of both axes in one row below them."""
    from matplotlib.legend_handler import HandlerTuple

    names = ["training, each mini-batch", "training, smoothed", "held-out"]
    handles: list[Any] = [*zip(upper[:2], lower[:2], strict=True), *upper[2:]]
    figure.legend(
        handles,
        names[: len(upper)],
        loc="lower center",
        bbox_to_anchor=((LEFT + (WIDTH - LEFT - RIGHT) / 2) / WIDTH, 0.15 / figure.get_figheight()),
        ncols=3,
        frameon=False,
        handlelength=3.2,
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.4)},
    )
