"""Kernels: the roofline of a machine with their throughput, and their times by size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLACK, BLUE, GREY, LIGHT, SKY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (BLUE, VERMILION, "#009E73", "#CC79A7", "#E69F00", SKY, BLACK)  # Okabe and Ito's palette
MARKERS = {"forward": "o", "backward": "s"}
WIDTH, HEIGHT = 7.6, 4.6  # inches


@dataclass(frozen=True)
class Point:
    """A kernel in one direction: its arithmetic intensity in FLOP/byte, and its measured GFLOP/s."""

    label: str
    direction: str
    intensity: float
    gflops: float


def roofline(points: Sequence[Point], *, gflops: float, gbytes: float, title: str, note: str = "") -> "Figure":
    """Plot the roofline, min(gflops, gbytes · intensity), and every kernel as a point.

    gflops, gbytes: the measured peaks of the machine, in GFLOP/s and GB/s. Both axes are logarithmic.

    Source: Williams, Waterman and Patterson, Roofline.
    """
    with canvas.style():
        figure = canvas.new_figure(WIDTH, HEIGHT, "Roofline", title, note)
        axes = _axes(figure, "Arithmetic intensity (FLOP/byte)", "GFLOP/s")
        ridge = gflops / gbytes
        intensities = [point.intensity for point in points]
        left, right = min(0.25 * ridge, *intensities) / 2, max(4 * ridge, *intensities) * 2
        x = np.geomspace(left, right, 200)
        axes.loglog(x, np.minimum(gflops, gbytes * x), color=GREY, linewidth=1.6)
        axes.fill_between(x, np.minimum(gflops, gbytes * x), 1e9, color=LIGHT, zorder=0)
        lowest = min(0.3 * gbytes * left, *(point.gflops for point in points)) / 2
        highest = max(gflops, *(point.gflops for point in points)) * 2.5
        axes.set(xlim=(left, right), ylim=(lowest, highest))
        _plain_ticks(axes.xaxis, axes.yaxis)
        colours = _colours([point.label for point in points])
        for point in points:
            axes.plot(
                point.intensity, point.gflops, MARKERS[point.direction], color=colours[point.label],
                markersize=7, markeredgecolor="white", markeredgewidth=0.8, zorder=3,
            )  # fmt: skip
        # Not beside the roof, where a marker could hide the numbers.
        _legend(axes, colours, roof=f"{gflops:.0f} GFLOP/s,\n{gbytes:.0f} GB/s")
    return figure


def times_by_size(
    sizes: Sequence[str], times: Mapping[tuple[str, str], Sequence[float]], *, title: str, note: str = ""
) -> "Figure":
    """Plot the times of kernels by size.

    times: for each (label, direction) the milliseconds at each size, NaN if the kernel does not support it.
    """
    lines = {"forward": "-", "backward": "--"}
    with canvas.style():
        figure = canvas.new_figure(WIDTH, HEIGHT, "Time by size", title, note)
        axes = _axes(figure, "Size", "Time (ms)")
        colours = _colours([label for label, _ in times])
        for (label, direction), values in times.items():
            axes.semilogy(values, lines[direction], color=colours[label], marker=MARKERS[direction], markersize=4)
        axes.set_xticks(range(len(sizes)), sizes, size=7)
        _plain_ticks(axes.yaxis)
        _legend(axes, colours, lines)
    return figure


def _axes(figure: "Figure", xlabel: str, ylabel: str) -> "Axes":
    axes = figure.subplots()
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.grid(visible=True, which="major")
    return axes


def _plain_ticks(*logarithmic: Any) -> None:
    """Label the ticks 1, 2, 5, 10, …, over more than four decades 1, 10, …, not as powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    for axis in logarithmic:
        low, high = axis.get_view_interval()
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1e4 * low else (1,), numticks=20))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())


def _colours(labels: Sequence[str]) -> dict[str, str]:
    return {label: COLOURS[k % len(COLOURS)] for k, label in enumerate(dict.fromkeys(labels))}


def _legend(axes: "Axes", colours: Mapping[str, str], lines: Mapping[str, Any] | None = None, roof: str = "") -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour, linewidth=3, label=label) for label, colour in colours.items()]
    handles += [
        Line2D([], [], color=GREY, marker=marker, linestyle=lines[name] if lines else "", label=name)
        for name, marker in MARKERS.items()
    ]
    if roof:
        handles.append(Line2D([], [], color=GREY, linewidth=1.6, label=f"the machine's peaks:\n{roof}"))
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1), fontsize=8.5)
