"""Derivatives by finite differences, and what keeps them from being right: kinks and rounding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from tinydnn.backend import Array, array_module

# In units of the argument's own size. Between the first and the last lie a thousand kinks that a line may pass
# by: the large step is the most exact where there are none, the small one still finds room between them.
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)

EPSILON = float(np.finfo(np.float64).eps)


def generator(seed: int) -> np.random.Generator:
    """Random numbers that are not those of `default_rng(seed)`.

    The caller may have drawn the arguments from those. An upstream gradient with the very same numbers hides
    mistakes: where dz = x, the gradient of a batch normalisation is zero.
    """
    return np.random.default_rng([seed, 1])


def unit(array: Array) -> float:
    """The size of an array's components, their root mean square; 1 where all are zero."""
    return float(array_module(array).sqrt((array**2).mean())) or 1.0


def direction(array: Array, rng: np.random.Generator) -> Array:
    """A random direction to move `array` along, of the size of its own components."""
    return array_module(array).asarray(rng.standard_normal(array.shape)) * unit(array)


@dataclass(frozen=True)
class Derivative:
    """A numeric derivative, how far rounding may have moved it, and whether the line was smooth there."""

    value: float
    roundoff: float
    smooth: bool


def rounding(magnitude: float, step: float = STEPS[0]) -> float:
    """How far rounding may move a numeric derivative, where `magnitude` is the size of the terms that are summed.

    An analytic derivative below it is no more than rounding either.
    """
    return 10 * EPSILON * magnitude / step


@dataclass(frozen=True)
class Line:
    """Both derivatives along one direction, and the size that the analytic one has on average over directions."""

    analytic: float
    numeric: Derivative
    usual: float

    @property
    def error(self) -> float:
        """The relative error: |a − n| / max(|a|, |n|, s)."""
        apart = abs(self.analytic - self.numeric.value)
        return apart / max(abs(self.analytic), abs(self.numeric.value), self.usual) if apart else 0.0

    @property
    def numerically_zero(self) -> bool:
        """Whether the numeric derivative is no more than rounding."""
        return abs(self.numeric.value) <= self.numeric.roundoff

    @property
    def both_zero(self) -> bool:
        """Whether neither derivative is more than rounding."""
        return self.numerically_zero and abs(self.analytic) <= self.numeric.roundoff


def derivative(line: Callable[[float], float], *, size: float, tolerance: float, magnitude: float) -> Derivative:
    """The derivative of a line L(t) with L(0) = 0 at t = 0, by central differences and Richardson's extrapolation.

        D(h) = (L(h) − L(−h)) / 2h = L' + h²·L'''/6 + …
        L'   = (4·D(h/2) − D(h)) / 3 + O(h⁴)

    A kink within a step shows in one of two ways, and no single kink hides from both: the two central
    differences disagree, or the difference of the one-sided slopes, B(h) = (L(h) + L(−h)) / h, does not halve with
    the step as it does for a smooth line (B = h·L''). Where either defect exceeds `tolerance`, relative to L' or to
    `size`, the usual size of such derivatives, the next smaller step is tried; where all do, the line is not smooth.
    What a kink may add to the result is less than the defect, so it neither fails a right gradient nor hides a
    wrong one. `magnitude` is the size of the terms that L sums, which rounding is relative to.

    Source: Press et al., Numerical Recipes, section 5.7.
    """
    for step in STEPS:
        ahead, behind = line(step), line(-step)
        near_ahead, near_behind = line(step / 2), line(-step / 2)
        slope, near_slope = (ahead - behind) / (2 * step), (near_ahead - near_behind) / step
        bend, near_bend = (ahead + behind) / step, (near_ahead + near_behind) / (step / 2)
        defect = max(abs(slope - near_slope), abs(bend - 2 * near_bend))
        value = (4 * near_slope - slope) / 3
        roundoff = rounding(magnitude, step)
        smooth = defect <= max(tolerance * max(abs(value), size), roundoff)
        if smooth:
            break
    return Derivative(value, roundoff, smooth)


def noise(values: Sequence[Array]) -> float:
    """The relative error that rounding leaves in values computed at equal steps: 1e-16 in float64, 1e-8 in float32.

    Differences of the order n − 1 among n values remove what is smooth; what is left is noise. The median over the
    elements that change at all keeps out the few that meet a kink on the way.

    Source: Moré and Wild, Estimating Computational Noise (2011).
    """
    xp = array_module(values[0])
    order = len(values) - 1
    stacked = xp.stack(values).reshape(len(values), -1)
    changed = (stacked != stacked[0]).any(axis=0)
    size = float(xp.sqrt((stacked[0] ** 2).mean()))
    if not changed.any() or size == 0:
        return 0.0
    # Independent errors of size σ add up to differences of size √C(2·order, order) · σ.
    left = xp.abs(xp.diff(stacked[:, changed], n=order, axis=0))
    return float(xp.median(left)) / (comb(2 * order, order) ** 0.5 * size)
