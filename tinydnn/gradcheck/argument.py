"""Compare the gradient of one argument with numeric derivatives along lines."""

import math
from dataclasses import dataclass

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.gradcheck.diagnosis import diagnose
from tinydnn.gradcheck.numeric import Line, derivative, direction, unit
from tinydnn.gradcheck.passes import Function, Named
from tinydnn.gradcheck.report import Check, Verdict

DIRECTIONS = 4  # random directions for each argument
COMPONENTS = 4  # sampled single components for each argument


@dataclass(frozen=True)
class Argument:
    """An argument x of `function`, and its analytic gradient at `point` for the upstream gradient dz."""

    name: str
    x: Array
    gradient: Array
    function: Function
    point: Named
    value: Array
    dz: Array
    tolerance: float

    def check(self, rng: np.random.Generator) -> Check:
        """Compare analytic and numeric derivatives along random directions and sampled components."""
        random = [self.line(direction(self.x, rng)) for _ in range(DIRECTIONS)]
        sampled = rng.choice(self.x.size, min(COMPONENTS, self.x.size), replace=False)
        lines = random + [self.line(self.component(int(k))) for k in sampled]
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

    def line(self, d: Array) -> Line:
        """The derivatives of L = Σ dz · value along d: a = Σ gradient · d, n by central differences."""
        xp = array_module(self.x)
        size = float(xp.sqrt((self.gradient**2).mean() * (d**2).sum()))
        magnitude = float(xp.abs(self.dz * self.value).sum())

        def difference(t: float) -> float:
            """L(x + t·d) − L(x). Subtracting before summing keeps unchanged outputs from adding rounding errors."""
            z, _ = self.function(*(self.point | {self.name: self.x + t * d}).values())
            return float(((z - self.value) * self.dz).sum())

        numeric = derivative(difference, size=size, tolerance=self.tolerance, magnitude=magnitude)
        return Line(float((self.gradient * d).sum()), numeric, size)

    def component(self, k: int) -> Array:
        """The direction of component k in reading order."""
        d = array_module(self.x).zeros(self.x.size)
        d[k] = unit(self.x)
        return d.reshape(self.x.shape)

    def partial(self, k: int) -> float:
        """The numeric partial derivative of L with respect to component k in reading order."""
        return self.line(self.component(k)).numeric.value / unit(self.x)
