"""The clauses of the contract that any differentiable function keeps; a violation raises `ContractError`.

`tinydnn.gradcheck.implementation` holds the whole contract of an implementation.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.gradcheck.numeric import rounding, unit
from tinydnn.gradcheck.passes import ContractError, Forward, Function, Gradients, Point, as_tuple
from tinydnn.gradcheck.precision import expect_float64
from tinydnn.gradcheck.report import Verdict


def check_function(
    function: Function, names: Sequence[str], point: Point, rng: np.random.Generator
) -> tuple[Array, Array, Gradients]:
    """Run `function` forward and backward at `point` in float64, and check the clauses that hold for any function.

    Returns the value, the upstream gradient dz drawn for it, and the gradient of each argument.
    """
    forward = Forward.run(function, names, _copies(point))
    _expect_finite("value", forward.value)
    dz, other = forward.upstream(rng), forward.upstream(rng)
    gradients = _copies(forward.gradients(dz))
    for name, gradient in zip(names, gradients, strict=True):
        _expect_finite(name, gradient)
    # A gradient that is zero but for rounding has no correct digits to test.
    counted = [
        k for k, g in enumerate(gradients) if g is not None and not _only_rounding(g, point[k], forward.value * dz)
    ]
    expect_float64(function, names, counted, (*point, dz), rng)
    _expect_linear(forward, counted, gradients, dz, other)
    if takes_need_dx(forward.backward):
        expect_dx_skipped(forward, dz, gradients)
    return forward.value, dz, gradients


def _expect_linear(forward: Forward, counted: Sequence[int], gradients: Gradients, dz: Array, other: Array) -> None:
    """backward(dz) + backward(other) = backward(dz + other), to rounding."""
    others, sums = (_copies(forward.gradients(upstream)) for upstream in (other, dz + other))
    for k in counted:
        if float(abs(gradients[k] + others[k] - sums[k]).max()) > 1e-8 * float(abs(sums[k]).max()):
            reason = "backward is not linear in dz, or depends on an earlier call"
            raise ContractError(forward.names[k], Verdict.NOT_LINEAR, reason)


def takes_need_dx(backward: Callable[..., Any]) -> bool:
    """Whether a backward function has the parameter `need_dx`."""
    return "need_dx" in inspect.signature(backward).parameters


def expect_dx_skipped(forward: Forward, dz: Array, gradients: Gradients, rtol: float = 1e-10) -> None:
    """backward(dz, need_dx=False) returns None for dx, and the other gradients unchanged to `rtol` (0: bit for bit)."""
    names, skipped = forward.names, as_tuple(forward.backward(dz, need_dx=False))
    if skipped[0] is not None:
        raise ContractError(names[0], Verdict.NEED_DX, "expected None with need_dx=False, found a gradient")
    for name, expected, found in zip(names[1:], gradients[1:], skipped[1:], strict=True):
        same = found is expected is None or (
            found is not None and bool(array_module(found).allclose(found, expected, rtol=rtol, atol=100 * rtol))
        )
        if not same:
            raise ContractError(name, Verdict.NEED_DX, "need_dx=False changes this gradient")


def _expect_finite(name: str, array: Array | None) -> None:
    if array is not None and not bool(array_module(array).isfinite(array).all()):
        raise ContractError(name, Verdict.NOT_FINITE, "expected finite values, found NaN or infinity")


def _only_rounding(gradient: Array, x: Any, summed: Array) -> bool:
    size = float((gradient**2).sum()) ** 0.5 * unit(x)
    return size <= rounding(float(abs(summed).sum()))


def _copies(arrays: Point) -> tuple[Any, ...]:
    return tuple(array if array is None else array.copy() for array in arrays)
