"""Test whether a function computes in float64 throughout: the rounding noise in its values shows the precision."""

from collections.abc import Sequence
from math import comb

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.gradcheck.numeric import direction
from tinydnn.gradcheck.passes import ContractError, Forward, Function, Named, copies
from tinydnn.gradcheck.report import Verdict

# Between the rounding of float64, 1e-16, and that of float32, 1e-8, with room for sums that nearly cancel.
LARGEST_NOISE = 1e-9
# In units of an argument's size. Along such small steps a float32 function is a staircase, a float64 one is smooth.
NOISE_STEPS = [k * 1e-7 for k in range(1, 6)]
TRIES = 3


def expect_float64(
    function: Function, tested: Sequence[str], point: Named, dz: Array, rng: np.random.Generator
) -> None:
    """Raise `ContractError` if the value or a gradient, as a function of the arguments and dz, has float32 noise.

    tested: the arguments whose gradient is tested. A kink between the steps looks like noise too, but random lines do
    not meet one every time, so noise must be found on `TRIES` lines.
    """
    for _ in range(TRIES):
        levels = _noise_levels(function, tested, point, dz, rng)
        worst = max(levels, key=levels.__getitem__)
        if levels[worst] <= LARGEST_NOISE:
            return
    guess = "something computes in lower precision" if levels[worst] < 1e-3 else "is a random generator used?"
    subject = "the value" if worst == "value" else f"the gradient of {worst}"
    reason = f"{subject} has a relative noise of {levels[worst]:.0e}: {guess}"
    raise ContractError(worst, Verdict.PRECISION, reason)


def noise(values: Sequence[Array]) -> float:
    """The relative rounding error in values computed at equal steps: about 1e-16 in float64, 1e-8 in float32.

    Among n values f(t + k·h) the difference of order n − 1,

        Δ = Σ (−1)ᵏ · C(n − 1, k) · f(t + k·h)        k = 0, …, n − 1

    cancels what is smooth and leaves the rounding errors. Independent errors of size σ give a Δ of size
    √C(2·(n − 1), n − 1) · σ. The median over the elements that change at all excludes the few that meet a kink.

    Source: Moré and Wild, Estimating Computational Noise (2011).
    """
    xp = array_module(values[0])
    order = len(values) - 1
    stacked = xp.stack(values).reshape(len(values), -1)
    changed = (stacked != stacked[0]).any(axis=0)
    size = float(xp.sqrt((stacked[0] ** 2).mean()))
    if not changed.any() or size == 0:
        return 0.0
    delta = xp.abs(xp.diff(stacked[:, changed], n=order, axis=0))
    return float(xp.median(delta)) / (comb(2 * order, order) ** 0.5 * size)


def _noise_levels(
    function: Function, tested: Sequence[str], point: Named, dz: Array, rng: np.random.Generator
) -> dict[str, float]:
    """The noise of the value and of the tested gradients along one random line through the arguments and dz."""
    lines = {name: direction(x, rng) for name, x in point.items() if x is not None}
    dz_line = direction(dz, rng)
    values, gradients = [], []
    for step in NOISE_STEPS:
        forward = Forward.run(function, point | {name: point[name] + step * line for name, line in lines.items()})
        values.append(forward.value)
        gradients.append(copies(forward.gradients(dz + step * dz_line)))
    return {"value": noise(values), **{name: noise([step[name] for step in gradients]) for name in tested}}
