"""Numeric derivatives by central differences, with an estimate of rounding and a test for kinks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinydnn.backend import Array, array_module

# Step sizes h, in units of the argument's size. The largest step rounds least, so it comes first. The smallest still
# fits between kinks that lie a thousand times closer together than the largest allows.
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)

EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Derivative:
    """A numeric derivative, a bound on its rounding error, and whether the function was smooth within the step."""

    value: float
    roundoff: float
    smooth: bool


@dataclass(frozen=True)
class Line:
    """The analytic derivative a and the numeric derivative n along a direction; size: s, typical of |a|."""

    analytic: float
    numeric: Derivative
    size: float

    @property
    def error(self) -> float:
        """The relative error |a − n| / max(|a|, |n|, s)."""
        difference = abs(self.analytic - self.numeric.value)
        return difference / max(abs(self.analytic), abs(self.numeric.value), self.size) if difference else 0.0

    @property
    def numerically_zero(self) -> bool:
        """Whether n is no more than rounding."""
        return abs(self.numeric.value) <= self.numeric.roundoff

    @property
    def both_zero(self) -> bool:
        """Whether neither a nor n is more than rounding."""
        return self.numerically_zero and abs(self.analytic) <= self.numeric.roundoff


def derivative(line: Callable[[float], float], *, size: float, tolerance: float, magnitude: float) -> Derivative:
    """The derivative L'(0) of a function L of one variable with L(0) = 0.

    Central differences have an error of order h²; Richardson's extrapolation from h and h/2 cancels it:

        D(h) = (L(h) − L(−h)) / 2h = L' + h²·L'''/6 + O(h⁴)
        L'   = (4·D(h/2) − D(h)) / 3 + O(h⁴)

    A kink is a jump of the slope, as at zero in ReLU. The difference of the one-sided slopes is

        B(h) = (L(h) + L(−h)) / h = h·L'' + O(h³)

    On a smooth function both |D(h) − D(h/2)| and |B(h) − 2·B(h/2)| are small. A single kink between −h and h makes at
    least one of them large, and adds less to L' than the larger of the two, the defect. So where the defect exceeds
    `tolerance`, relative to L' or to `size` (a typical derivative), the next smaller h of `STEPS` is tried. If no step
    is smooth, a kink lies at 0 itself or kinks are everywhere. As an accepted defect is below the tolerance, a kink
    neither fails a correct gradient nor hides a wrong one.

    magnitude: the sum of the absolute values of the terms that L adds up, to which rounding is relative.

    Source: Press et al., Numerical Recipes, section 5.7.
    """
    for h in STEPS:
        ahead, behind, half_ahead, half_behind = (line(t) for t in (h, -h, h / 2, -h / 2))
        d, d_half = (ahead - behind) / (2 * h), (half_ahead - half_behind) / h
        b, b_half = (ahead + behind) / h, (half_ahead + half_behind) / (h / 2)
        value = (4 * d_half - d) / 3
        defect = max(abs(d - d_half), abs(b - 2 * b_half))
        roundoff = rounding(magnitude, h)
        smooth = defect <= max(tolerance * max(abs(value), size), roundoff)
        if smooth:
            break
    return Derivative(value, roundoff, smooth)


def rounding(magnitude: float, h: float = STEPS[0]) -> float:
    """A bound on the rounding error of a numeric derivative: each L(±h) is off by about ε·magnitude, divided by h.

    An analytic derivative below it is no more than rounding either.
    """
    return 10 * EPSILON * magnitude / h


def generator(seed: int) -> np.random.Generator:
    """A random generator independent of `default_rng(seed)`, from which the caller may have drawn the arguments.

    An upstream gradient equal to an argument hides mistakes: with dz = x the gradient of batch normalisation is zero.
    """
    return np.random.default_rng([seed, 1])


def unit(array: Array) -> float:
    """The size of an array's elements, their root mean square; 1 if all are zero."""
    return float(array_module(array).sqrt((array**2).mean())) or 1.0


def direction(array: Array, rng: np.random.Generator) -> Array:
    """A random direction in which to move `array`; its elements are of the same size as the array's."""
    return array_module(array).asarray(rng.standard_normal(array.shape)) * unit(array)
