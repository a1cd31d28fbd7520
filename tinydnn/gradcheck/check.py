"""`gradcheck`: check the gradients of a function against numeric derivatives."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.gradcheck.argument import Argument
from tinydnn.gradcheck.contract import check_function
from tinydnn.gradcheck.numeric import direction, generator
from tinydnn.gradcheck.passes import ContractError, Function, Named, argument_names, by_name
from tinydnn.gradcheck.report import Check, Report, Verdict
from tinydnn.ops import trace

POINTS = 3  # tries to find a point that does not lie on a kink


def gradcheck(
    function: Function,
    *arrays: Array | None,
    name: str | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    tolerance: float = 1e-7,
) -> Report:
    """Check `value, backward = function(*arrays)` in float64 against central differences.

    `backward(dz)` returns one gradient for each array (None for None), alone or as a tuple. Bind arguments that have
    no gradient (labels, masks, options) beforehand: `gradcheck(lambda x: dropout(x, keep, rate=0.5), x)`.

    A random upstream gradient dz turns the value into a scalar, L = Σ dz · value. For each argument x, a few random
    normal directions d and a few single components are sampled. Along each, the analytic derivative a is compared
    with the numeric derivative n (`tinydnn.gradcheck.numeric.derivative`):

        a = Σ gradient · d        n = dL(x + t·d)/dt at t = 0        error = |a − n| / max(|a|, |n|, s)

    s = ‖gradient‖·‖d‖/√size is the typical |a| over random directions. It keeps a derivative that happens to be near
    zero from being compared with nothing. The gradient is proven if every error is at most `tolerance`.

    The check fails if a and n are both zero, which proves nothing, and if the function violates the contract of an
    operation (`tinydnn.gradcheck.contract`). If kinks lie near a point, smaller steps avoid them. If the point itself
    lies on a kink, a point beside it is checked instead, and the reason says so.

    Raises `TypeError` for an array that is not of floats, `ValueError` for one that is empty or not finite.

    Sources: error without s, Stanford CS231n, notes on gradient checks; directions and kinks, Chainer's check_backward.
    """
    names = names or argument_names(function, len(arrays))
    point = {name: x if x is None else _float64(name, x) for name, x in by_name(names, arrays).items()}
    rng = generator(seed)
    for attempt in range(POINTS):
        with trace() as calls:
            checks = _check_at(function, point, rng, tolerance)
        if any(check.verdict not in (Verdict.OK, Verdict.KINK) for check in checks):
            break
        if all(check.verdict is Verdict.OK for check in checks):
            if attempt:
                reason = "checked beside the given point, which lies on a kink"
                checks = [replace(check, reason=reason) for check in checks]
            break
        point = {name: x if x is None else x + 0.01 * direction(x, rng) for name, x in point.items()}
    return Report.of(function, name, calls, "float64", checks)


def _check_at(function: Function, point: Named, rng: np.random.Generator, tolerance: float) -> list[Check]:
    """One check per argument, or only the violation of the contract that makes the others pointless."""
    try:
        value, dz, gradients = check_function(function, point, rng)
    except ContractError as error:
        return [error.check]
    return [
        Argument(name, x, gradients[name], function, point, value, dz, tolerance).check(rng)
        for name, x in point.items()
        if x is not None
    ]


def _float64(name: str, array: Array) -> Array:
    dtype = getattr(array, "dtype", None)
    if dtype is None or dtype.kind != "f":
        raise TypeError(f"gradcheck: {name}: expected an array of floats, found {dtype or type(array).__name__}")
    if array.size == 0:
        raise ValueError(f"gradcheck: {name}: expected at least one element, found shape {array.shape}")
    if not bool(array_module(array).isfinite(array).all()):
        raise ValueError(f"gradcheck: {name}: expected finite values, found NaN or infinity")
    return array.astype(np.float64)
