"""`compare` checks the value and gradients of one implementation against another."""

from functools import partial

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.gradcheck import Verdict, compare


def normal(shape):
    return np.random.default_rng(5).standard_normal(shape)


X, W, B = normal((2, 3, 5, 5)), normal((3, 3, 3, 3)), normal(3)


def test_compare_checks_value_and_gradients_against_the_reference():
    function, reference = (
        partial(ops.conv2d.implementations[name].function, padding=1) for name in ("im2col", "reference")
    )
    for dtype, most in (("float32", 1e-5), ("float64", 1e-14)):
        report = compare(function, reference, X, W, B, dtype=dtype)
        assert report.ok
        assert report.dtype == dtype
        assert [check.argument for check in report.checks] == ["value", "x", "w", "b"]
        assert report.worst.error < most


def test_the_report_names_the_implementation_of_the_function_alone():
    with ops.use(conv2d="im2col"):
        assert compare(ops.conv2d, ops.conv2d.implementations["reference"].function, X, W, B).implementation == "im2col"


COMPARED = {
    "value": (lambda x: (x + 1e-2, lambda dz: dz), "value", Verdict.WRONG, "expected at most 1.2e-04"),
    "gradient": (lambda x: (x, lambda dz: dz * 1.01), "x", Verdict.WRONG, "expected at most 1.2e-04"),
    "dtype": (lambda x: (x, lambda dz: dz.astype(float)), "x", Verdict.DTYPE, "expected float32, found float64"),
    "shape": (lambda x: (x, lambda dz: dz[0]), "x", Verdict.SHAPE, "expected shape (3, 4), found (4,)"),
    "none": (lambda x: (x, lambda dz: None), "x", Verdict.SHAPE, "expected shape (3, 4), found None"),
    "NaN": (lambda x: (x, lambda dz: dz * np.nan), "x", Verdict.WRONG, "found nan"),
}


@pytest.mark.parametrize("kind", COMPARED)
def test_compare_names_the_difference(kind):
    function, argument, verdict, reason = COMPARED[kind]
    worst = compare(function, lambda x: (x, lambda dz: dz), normal((3, 4)), names=["x"]).worst
    assert (worst.argument, worst.verdict) == (argument, verdict)
    assert reason in worst.reason
