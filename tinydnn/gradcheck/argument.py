"""The gradient of one argument, compared with derivatives along lines."""

import math
from dataclasses import dataclass

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.gradcheck.contract import Function, Pass, Point
from tinydnn.gradcheck.diagnosis import diagnose
from tinydnn.gradcheck.numeric import Line, derivative, direction, unit
from tinydnn.gradcheck.report import Check, Verdict

DIRECTIONS = 4  # random ones, for each argument
COMPONENTS = 4  # single ones, for each argument


@dataclass(frozen=True)
class Argument:
    """An argument x of a function, and its gradient as the pass `done` gave it."""

    name: str
    number: int
    x: Array
    gradient: Array
    function: Function
    point: Point
    done: Pass
    tolerance: float

    def check(self, rng: np.random.Generator) -> Check:
        """Compare the gradient with differences along random directions and single components."""
        random = [self.line(direction(self.x, rng)) for _ in range(DIRECTIONS)]
        sampled = rng.choice(self.x.size, min(COMPONENTS, self.x.size), replace=False)
        lines = random + [self.line(self.component(int(flat))) for flat in sampled]
        smooth = [line for line in lines if line.numeric.smooth]
        error = max((line.error for line in smooth), default=math.inf)
        if all(line.both_zero for line in random):
            reason = "the analytic and the numeric gradient are zero, which proves nothing"
            return Check(self.name, Verdict.BOTH_ZERO, math.inf, reason)
        if smooth and error > self.tolerance:
            verdict, reason = diagnose(self.gradient, random, self.partial)
            return Check(self.name, verdict, error, reason)
        if len(smooth) < len(lines):
            reason = f"{len(lines) - len(smooth)} of {len(lines)} lines meet a kink at every step size"
            return Check(self.name, Verdict.KINK, error, reason)
        return Check(self.name, Verdict.OK, error)

    def line(self, along: Array) -> Line:
        """The analytic and the numeric derivative in the direction `along`."""
        xp = array_module(self.x)
        usual = float(xp.sqrt((self.gradient**2).mean() * (along**2).sum()))
        magnitude = float(xp.abs(self.done.dz * self.done.value).sum())

        def moved(t: float) -> float:
            """L(x + t·along) − L(x); the difference comes before the sum, so what does not change adds no rounding."""
            inputs = [*self.point[: self.number], self.x + t * along, *self.point[self.number + 1 :]]
            value, _ = self.function(*inputs)
            return float(((value - self.done.value) * self.done.dz).sum())

        numeric = derivative(moved, size=usual, tolerance=self.tolerance, magnitude=magnitude)
        return Line(float((self.gradient * along).sum()), numeric, usual)

    def component(self, flat: int) -> Array:
        """The direction of the component at position `flat` in reading order."""
        along = array_module(self.x).zeros(self.x.size)
        along[flat] = unit(self.x)
        return along.reshape(self.x.shape)

    def partial(self, flat: int) -> float:
        """The numeric derivative by the component at position `flat` in reading order."""
        return self.line(self.component(flat)).numeric.value / unit(self.x)
