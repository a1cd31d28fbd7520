"""One way to compute an operation, held to another."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinydnn.backend import Array, array_module
from tinydnn.gradcheck.contract import Function, argument_names, as_tuple
from tinydnn.gradcheck.numeric import generator
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
    """Hold value and gradients of `function` in `dtype` to those of `reference` in float64.

    Both get the same numbers, rounded to `dtype`, and the same random upstream gradient. The error of the value,
    and of each gradient, is max |found − expected| / max |expected|. `tolerance` is 1000 roundings of `dtype` where
    it is not given: 1e-4 in float32, 2e-13 in float64.
    """
    dtype = np.dtype(dtype)
    tolerance = tolerance or 1000 * float(np.finfo(dtype).eps)
    rounded = [array if array is None else array.astype(dtype) for array in arrays]
    with trace() as calls:
        value, backward = function(*rounded)
    expected, expected_backward = reference(
        *(array if array is None else array.astype(np.float64) for array in rounded)
    )
    dz = array_module(value).asarray(generator(seed).standard_normal(expected.shape), dtype)
    names = ["value", *(names or argument_names(function, len(arrays)))]
    ours, theirs = (value, *as_tuple(backward(dz))), (expected, *as_tuple(expected_backward(dz.astype(np.float64))))
    if len(ours) != len(theirs):
        raise ValueError(f"compare: backward: expected {len(theirs) - 1} gradients, found {len(ours) - 1}")
    checks = tuple(
        _check(one_name, found, wanted, dtype, tolerance)
        for one_name, found, wanted in zip(names, ours, theirs, strict=True)
        if found is not None or wanted is not None
    )
    return Report.of(function, name, calls, str(dtype), checks)


def _check(name: str, found: Array | None, expected: Array | None, dtype: np.dtype, tolerance: float) -> Check:
    if found is None or expected is None or found.shape != expected.shape:
        shapes = (getattr(one, "shape", None) for one in (expected, found))
        return Check(name, Verdict.SHAPE, float("inf"), "expected shape {}, found {}".format(*shapes))
    if found.dtype != dtype:
        return Check(name, Verdict.DTYPE, float("inf"), f"expected {dtype}, found {found.dtype}")
    size = float(abs(expected).max())
    apart = float(abs(found - expected).max())
    error = apart / size if size else apart
    if error <= tolerance:
        return Check(name, Verdict.OK, error)
    return Check(name, Verdict.WRONG, error, f"expected at most {tolerance:.1e} from the reference, found {error:.1e}")
