"""One forward and one backward pass in float64, held to all that the contract asks besides right numbers."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.gradcheck.numeric import direction, noise, rounding, unit
from tinydnn.gradcheck.report import Check, Verdict
from tinydnn.ops import Backward

Function: TypeAlias = Callable[..., tuple[Array, Backward]]
Point: TypeAlias = Sequence[Array | None]
Gradients: TypeAlias = tuple[Any, ...]  # an array, or None, for each argument

# Between the rounding of float64, 1e-16, and that of float32, 1e-8, with room for sums that nearly cancel.
LARGEST_NOISE = 1e-9
# In units of an argument's size: in float32 such steps are stairs, in float64 they are smooth.
NOISE_STEPS = [k * 1e-7 for k in range(1, 6)]


class BrokenContractError(Exception):
    """The pass broke the contract, so its gradients need no further look."""

    def __init__(self, argument: str, verdict: Verdict, reason: str) -> None:
        super().__init__(reason)
        self.check = Check(argument, verdict, float("inf"), reason)


@dataclass(frozen=True)
class Pass:
    """What one pass gave: the value, the upstream gradient drawn for it, and the gradient of each argument."""

    value: Array
    dz: Array
    gradients: Gradients


def run(function: Function, names: Sequence[str], point: Point, rng: np.random.Generator) -> Pass:
    """Run `function` forward and backward at `point`; raises `BrokenContractError` at the first fault."""
    inputs = _copies(point)
    value, backward = function(*inputs)
    _expect_unwritten("forward", names, point, inputs)
    _expect_sound("value", value)

    dz, other = (array_module(value).asarray(rng.standard_normal(value.shape)) for _ in range(2))
    given = [*inputs, value, dz]
    before = _copies(given)
    gradients = _gradients(names, point, backward(dz))
    _expect_unwritten("backward", [*names, "value", "dz"], before, given)
    # A gradient that is zero but for rounding has no digits to look at.
    counted = [k for k, g in enumerate(gradients) if g is not None and not _only_rounding(g, point[k], value, dz)]
    _expect_precise(function, names, counted, (*point, dz), rng)
    _expect_linear(names, counted, gradients, *(_gradients(names, point, backward(one)) for one in (other, dz + other)))
    if "need_dx" in inspect.signature(backward).parameters:
        _expect_dx_skipped(names, gradients, as_tuple(backward(dz, need_dx=False)))
    return Pass(value, dz, gradients)


def argument_names(function: Function, count: int) -> list[str]:
    """The names of the first `count` parameters, or their numbers where they have none."""
    parameters = inspect.signature(function).parameters.values()
    named = [one.name for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    return [*named[:count], *(f"argument {number}" for number in range(len(named), count))]


def as_tuple(returned: Any) -> tuple[Any, ...]:
    """What a backward function returned: one gradient alone, or a tuple of them."""
    return returned if isinstance(returned, tuple) else (returned,)


def _gradients(names: Sequence[str], point: Point, returned: Any) -> Gradients:
    """What backward returned as a tuple of copies, one gradient like each argument."""
    gradients = as_tuple(returned)
    if len(gradients) != len(names):
        reason = f"expected {len(names)} gradients ({', '.join(names)}), found {len(gradients)}"
        raise BrokenContractError(names[0], Verdict.SHAPE, reason)
    for name, array, gradient in zip(names, point, gradients, strict=True):
        expected, found = (getattr(one, "shape", None) for one in (array, gradient))
        if expected != found:
            raise BrokenContractError(name, Verdict.SHAPE, f"expected shape {expected}, found {found}")
        if gradient is not None:
            _expect_sound(name, gradient)
    return tuple(_copies(gradients))


def _expect_sound(name: str, array: Array) -> None:
    found = getattr(array, "dtype", type(array).__name__)
    if found != np.float64:
        raise BrokenContractError(name, Verdict.DTYPE, f"expected float64, found {found}")
    if not bool(array_module(array).isfinite(array).all()):
        raise BrokenContractError(name, Verdict.NOT_FINITE, "expected finite numbers, found NaN or infinity")


def _only_rounding(gradient: Array, x: Any, value: Array, dz: Array) -> bool:
    size = float((gradient**2).sum()) ** 0.5 * unit(x)
    return size <= rounding(float(abs(value * dz).sum()))


def _expect_precise(
    function: Function, names: Sequence[str], counted: Sequence[int], start: Point, rng: np.random.Generator
) -> None:
    """Value and gradients, seen as functions of the arguments and of dz, are smooth to the rounding of float64."""
    # A kink on the way looks like noise too, but is not met every time.
    for _ in range(3):
        levels = _noise_levels(function, names, counted, start, rng)
        worst = max(levels, key=levels.__getitem__)
        if levels[worst] <= LARGEST_NOISE:
            return
    guess = "something computes in lower precision" if levels[worst] < 1e-3 else "is something drawn at random?"
    what = "the value" if worst == "value" else f"the gradient of {worst}"
    raise BrokenContractError(worst, Verdict.PRECISION, f"{what} has a relative noise of {levels[worst]:.0e}: {guess}")


def _noise_levels(
    function: Function, names: Sequence[str], counted: Sequence[int], start: Point, rng: np.random.Generator
) -> dict[str, float]:
    """The noise of the value and of the counted gradients along a random line through the arguments and dz."""
    along = [array if array is None else direction(array, rng) for array in start]
    values, gradients = [], []
    for step in NOISE_STEPS:
        *moved, dz = [a if a is None or d is None else a + step * d for a, d in zip(start, along, strict=True)]
        value, backward = function(*moved)
        values.append(value)
        gradients.append(_gradients(names, moved, backward(dz)))
    return {"value": noise(values), **{names[k]: noise([g[k] for g in gradients]) for k in counted}}


def _expect_linear(
    names: Sequence[str], counted: Sequence[int], one: Gradients, other: Gradients, both: Gradients
) -> None:
    """backward(dz) + backward(other) = backward(dz + other), to rounding."""
    for k in counted:
        if float(abs(one[k] + other[k] - both[k]).max()) > 1e-8 * float(abs(both[k]).max()):
            reason = "backward is not linear in dz, or remembers an earlier call"
            raise BrokenContractError(names[k], Verdict.NOT_LINEAR, reason)


def _expect_dx_skipped(names: Sequence[str], gradients: Gradients, skipped: Gradients) -> None:
    if skipped[0] is not None:
        raise BrokenContractError(names[0], Verdict.NEED_DX, "expected None with need_dx=False, found a gradient")
    for name, expected, found in zip(names[1:], gradients[1:], skipped[1:], strict=True):
        same = found is expected is None or (
            found is not None and bool(array_module(found).allclose(found, expected, rtol=1e-10))
        )
        if not same:
            raise BrokenContractError(name, Verdict.NEED_DX, "with need_dx=False, another gradient than without")


def _expect_unwritten(when: str, names: Sequence[str], before: Point, after: Point) -> None:
    for name, old, new in zip(names, before, after, strict=True):
        if old is not None and not bool((old == new).all()):
            raise BrokenContractError(name, Verdict.WROTE, f"{when} wrote to {name}")


def _copies(arrays: Point) -> list[Array | None]:
    return [array if array is None else array.copy() for array in arrays]
