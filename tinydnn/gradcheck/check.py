"""The gradient of a function, checked against differences of its values."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.gradcheck import contract
from tinydnn.gradcheck.argument import Argument
from tinydnn.gradcheck.contract import BrokenContractError, Function, Point, argument_names
from tinydnn.gradcheck.numeric import direction, generator
from tinydnn.gradcheck.report import Check, Report, Verdict
from tinydnn.ops import trace

POINTS = 3  # how often to look for a point that lies on no kink


def gradcheck(
    function: Function,
    *arrays: Array | None,
    name: str | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    tolerance: float = 1e-7,
) -> Report:
    """Check `value, backward = function(*arrays)` in float64 against central differences.

    `backward(dz)` returns one gradient for each array (None for None), alone or as a tuple. What is not to be
    differentiated (labels, masks, options) is bound beforehand: `gradcheck(lambda x: dropout(x, keep, rate=0.5), x)`.

    A random upstream gradient dz makes a number of the value, L = Σ dz · value. For each argument, some directions d
    are drawn from a normal distribution over all components, and some single components are sampled. Along each,

        a = Σ gradient · d        n = dL/dt at x + t·d, by differences        error = |a − n| / max(|a|, |n|, s)

    with s = ‖gradient‖·‖d‖/√size, which is how large a is on average over directions, so that a derivative near zero
    by accident is not measured against nothing. The gradient holds where every error is at most `tolerance`.

    It also fails where a and n are both zero, which proves nothing; where backward is not linear in dz, ignores
    `need_dx=False` or writes to what it was given; and where shape, dtype or precision is not kept. Kinks on the way
    are stepped around; where the point itself lies on one, a point beside it is checked, and the reason says so.

    Sources: error without s, Stanford CS231n, notes on gradient checks; directions and kinks, Chainer's check_backward.
    """
    names = names or argument_names(function, len(arrays))
    point = [array if array is None else _float64(name, array) for name, array in zip(names, arrays, strict=True)]
    rng = generator(seed)
    for tried in range(POINTS):
        with trace() as calls:
            checks = _check_at(function, names, point, rng, tolerance)
        if any(check.verdict not in (Verdict.OK, Verdict.KINK) for check in checks):
            break
        if all(check.verdict is Verdict.OK for check in checks):
            if tried:
                beside = "checked beside the point given, which lies on a kink"
                checks = [replace(check, reason=beside) for check in checks]
            break
        point = [array if array is None else array + 0.01 * direction(array, rng) for array in point]
    return Report.of(function, name, calls, "float64", checks)


def _check_at(
    function: Function, names: Sequence[str], point: Point, rng: np.random.Generator, tolerance: float
) -> list[Check]:
    """One check for each argument; or the one of the fault that makes the others pointless."""
    try:
        done = contract.run(function, names, point, rng)
    except BrokenContractError as broken:
        return [broken.check]
    return [
        Argument(name, number, x, gradient, function, point, done, tolerance).check(rng)
        for number, (name, x, gradient) in enumerate(zip(names, point, done.gradients, strict=True))
        if x is not None and gradient is not None
    ]


def _float64(name: str, array: Array) -> Array:
    found = getattr(array, "dtype", None)
    if found is None or found.kind != "f":
        raise TypeError(f"gradcheck: {name}: expected an array of floats, found {found or type(array).__name__}")
    if array.size == 0:
        raise ValueError(f"gradcheck: {name}: expected at least one number, found shape {array.shape}")
    if not bool(array_module(array).isfinite(array).all()):
        raise ValueError(f"gradcheck: {name}: expected finite numbers, found NaN or infinity")
    return array.astype(np.float64)
