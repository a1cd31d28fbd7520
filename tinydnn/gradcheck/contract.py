"""The clauses of the contract that any differentiable function keeps; a violation raises `ContractError`.

`tinydnn.gradcheck.implementation` holds the whole contract of an implementation.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.gradcheck.numeric import rounding, unit
from tinydnn.gradcheck.passes import ContractError, Forward, Function, Named, copies
from tinydnn.gradcheck.precision import expect_float64
from tinydnn.gradcheck.report import Verdict


def check_function(function: Function, point: Named, rng: np.random.Generator) -> tuple[Array, Array, Named]:
    """Run `function` forward and backward at `point` in float64, and check the clauses that hold for any function.

    Returns the value, the upstream gradient dz drawn for it, and the gradient of each argument.
    """
    forward = Forward.run(function, copies(point))
    _expect_finite("value", forward.value)
    dz, other = forward.upstream(rng), forward.upstream(rng)
    gradients = copies(forward.gradients(dz))
    for name, gradient in gradients.items():
        _expect_finite(name, gradient)
    magnitude = float(abs(forward.value * dz).sum())
    tested = [name for name, g in gradients.items() if g is not None and _is_significant(g, point[name], magnitude)]
    expect_float64(function, tested, point, dz, rng)
    others, sums = (copies(forward.gradients(upstream)) for upstream in (other, dz + other))
    for name in tested:
        if float(abs(gradients[name] + others[name] - sums[name]).max()) > 1e-8 * float(abs(sums[name]).max()):
            raise ContractError(name, Verdict.NOT_LINEAR, "backward is not linear in dz, or depends on an earlier call")
    if takes_need_dx(forward.backward):
        expect_dx_skipped(forward, dz, gradients)
    return forward.value, dz, gradients


def takes_need_dx(backward: Callable[..., Any]) -> bool:
    """Whether a backward function has the parameter `need_dx`."""
    return "need_dx" in inspect.signature(backward).parameters


def expect_dx_skipped(forward: Forward, dz: Array, gradients: Named, rtol: float = 1e-10) -> None:
    """backward(dz, need_dx=False) returns None for dx, and the other gradients unchanged to `rtol` (0: bit for bit)."""
    _, *skipped = forward.gradients(dz, skip_dx=True).items()
    for name, gradient in skipped:
        expected = gradients[name]
        same = gradient is expected or gradient.tobytes() == expected.tobytes()
        if not same and not (rtol and bool(array_module(gradient).allclose(gradient, expected, rtol, 100 * rtol))):
            raise ContractError(name, Verdict.NEED_DX, "need_dx=False changes this gradient")


def _expect_finite(name: str, array: Array | None) -> None:
    if array is not None and not bool(array_module(array).isfinite(array).all()):
        raise ContractError(name, Verdict.NOT_FINITE, "expected finite values, found NaN or infinity")


def _is_significant(gradient: Array, x: Array, magnitude: float) -> bool:
    """Whether a gradient is more than rounding. One that is zero up to rounding has no correct digits to test."""
    return float((gradient**2).sum()) ** 0.5 * unit(x) > rounding(magnitude)
