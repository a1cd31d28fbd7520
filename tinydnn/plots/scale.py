"""The scales of training progress: iterations, and a loss with spikes."""

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tinydnn.plots.canvas import GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def iteration_ticks(axes: "Axes", last: int) -> None:
    """Put about ten round ticks on the horizontal axis, and one at the last iteration."""
    from matplotlib.ticker import MaxNLocator

    rounded = MaxNLocator(10, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1).tick_values(0, last)
    axes.set_xticks([*(int(tick) for tick in rounded if 0 < tick < 0.95 * last), last])


def loss_scale(axes: "Axes", values: npt.NDArray[np.float64]) -> None:
    """Set the vertical scale for losses >= 0.

    The scale is linear from 0, unless the highest value is more than 8 times the 80 % quantile, so that most of the
    curve would be flat. Then it is linear up to a dotted line, over two thirds of the height, and logarithmic above.
    """
    highest, usual = float(values.max()), 2 * float(np.quantile(values, 0.8))
    if 0 < usual < highest / 4:
        _broken_scale(axes, usual, 1.5 * highest)
    else:
        axes.set_ylim(0, 1.06 * highest or 1)


def _broken_scale(axes: "Axes", usual: float, top: float) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    power = 10.0 ** math.floor(math.log10(usual))
    linear = next(step * power for step in (1, 2, 5, 10) if usual <= step * power)
    # symlog gives the linear part linscale/(1 - 1/10) times the height of a decade.
    axes.set_yscale("symlog", linthresh=linear, linscale=2 * 0.9 * math.log10(top / linear))
    axes.set_ylim(0, top)
    exponents = range(math.ceil(math.log10(3 * linear)), math.floor(math.log10(top)) + 1)
    powers = [10.0**exponent for exponent in exponents[:: math.ceil(len(exponents) / 4) or 1]]
    ticks = [tick for tick in MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(0, linear) if tick <= linear]
    axes.yaxis.set_major_locator(FixedLocator([*ticks, *powers]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.axhline(linear, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_ylabel(f"{axes.get_ylabel()} (logarithmic\nabove {linear:g})")
