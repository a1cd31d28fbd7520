"""`compare`: check the value and gradients of one implementation against another."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tinydnn.backend import Array, array_module
from tinydnn.gradcheck.layouts import Layout, contiguous
from tinydnn.gradcheck.numeric import generator
from tinydnn.gradcheck.passes import ContractError, Forward, Function, argument_names, as_tuple, by_name
from tinydnn.gradcheck.report import Check, Report, Verdict
from tinydnn.ops import trace


def compare(
    function: Function,
    reference: Function,
    *arrays: Array | None,
    dtype: npt.DTypeLike = np.float32,
    name: str | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    tolerance: float | None = None,
) -> Report:
    """Check the value and gradients of `function` in `dtype` against those of `reference` in float64.

    Both get the same values, rounded to `dtype`, and the same random upstream gradient. The error of the value and of
    each gradient is max |found − expected| / max |expected|. `tolerance`: `rounding_tolerance` by default.
    """
    names = names or argument_names(function, len(arrays))
    inputs = {name: x if x is None else x.astype(dtype) for name, x in by_name(names, arrays).items()}
    tolerance = tolerance or rounding_tolerance(dtype)
    checks: list[Check] = []
    try:
        with trace() as calls:
            forward = Forward.run(function, inputs)
        checks.extend(deviations(forward, reference, tolerance=tolerance, seed=seed))
    except ContractError as error:
        checks.append(error.check)
    return Report.of(function, name, calls, str(np.dtype(dtype)), checks)


def rounding_tolerance(dtype: npt.DTypeLike) -> float:
    """1000 roundings of `dtype`: 1e-4 in float32, 2e-13 in float64."""
    return 1000 * float(np.finfo(dtype).eps)


def deviations(
    forward: Forward, reference: Function, *, tolerance: float, seed: int = 0, layout: Layout = contiguous
) -> Iterator[Check]:
    """Compare the value, then each gradient, with the reference in float64; dz gets the memory layout `layout`."""
    expected, reference_backward = reference(
        *(x if x is None else x.astype(np.float64) for x in forward.inputs.values())
    )
    check = _deviation("value", forward.value, expected, tolerance)
    yield check
    if check.verdict is Verdict.SHAPE:
        return
    dz = layout(forward.upstream(generator(seed)))
    expected_gradients = as_tuple(reference_backward(dz.astype(np.float64)))
    for (name, gradient), expected in zip(forward.gradients(dz).items(), expected_gradients, strict=True):
        if gradient is not None:
            yield _deviation(name, gradient, expected, tolerance)


def _deviation(name: str, found: Array, expected: Array, tolerance: float) -> Check:
    if found.shape != expected.shape:
        return Check(name, Verdict.SHAPE, float("inf"), f"expected shape {expected.shape}, found {found.shape}")
    xp = array_module(found)
    difference = xp.abs(found - expected)
    scale = float(xp.abs(expected).max()) or 1.0
    error = float(difference.max()) / scale
    if error <= tolerance:
        return Check(name, Verdict.OK, error)
    single = found.dtype == np.float64 and error <= rounding_tolerance(np.float32)
    share = 1 - float((difference <= tolerance * scale).mean())
    reason = f"expected at most {tolerance:.1e} from the reference, found {error:.1e} in {share:.0%} of the elements"
    return Check(name, Verdict.PRECISION if single else Verdict.WRONG, error, reason)
