"""Correct gradients pass, near kinks and on them; invalid arguments are refused."""

from functools import partial

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.gradcheck import Verdict, gradcheck


def normal(shape):
    return np.random.default_rng(5).standard_normal(shape)


X, W, B = normal((2, 3, 5, 5)), normal((3, 3, 3, 3)), normal(3)
convolve = partial(ops.conv2d, padding=1)


def verdicts(report) -> dict[str, str]:
    return {check.argument: check.verdict for check in report.checks}


def test_a_right_gradient_passes_for_every_argument():
    report = gradcheck(convolve, X, W, B, name="conv2d")
    assert verdicts(report) == dict.fromkeys("xwb", Verdict.OK)
    assert report.worst.error < 1e-9
    report.raise_if_failed()


def test_the_report_names_function_implementation_and_dtype():
    with ops.use(conv2d="im2col"):
        report = gradcheck(convolve, X, W, B)
    assert (report.name, report.implementation, report.dtype) == ("conv2d", "im2col", "float64")
    assert str(report).startswith("conv2d (im2col, float64)\n  x: ok")
    assert repr(report) == str(report)


def test_an_argument_that_is_none_is_not_checked():
    assert verdicts(gradcheck(convolve, X, W, None)) == {"x": Verdict.OK, "w": Verdict.OK}


def test_float32_arrays_are_checked_in_float64():
    assert gradcheck(ops.sigmoid, normal((3, 4)).astype(np.float32)).worst.error < 1e-8


def test_arguments_may_have_any_memory_layout():
    def square(x):
        return x * x, lambda dz: 2 * x * dz + 5 * wrong * dz

    x, wrong = np.asfortranarray(normal((4, 5))), np.zeros((4, 5))
    assert gradcheck(square, x).ok
    wrong[1, 2] = 1
    assert "1 of 20 components are off; the worst at (1, 2)" in gradcheck(square, x).checks[0].reason


@pytest.mark.parametrize("seed", range(20))
def test_kinks_near_the_point_do_not_fail_a_right_gradient(seed):
    x = np.random.default_rng(seed).standard_normal((4, 1, 20, 20))
    assert gradcheck(ops.relu, x, seed=seed).ok
    assert gradcheck(ops.maxpool2d, x, seed=seed).ok


@pytest.mark.parametrize("operation", [ops.relu, ops.maxpool2d])
def test_a_point_on_a_kink_is_replaced_by_one_beside_it(operation):
    report = gradcheck(operation, np.round(normal((2, 2, 6, 6))))
    assert report.ok
    assert "lies on a kink" in report.checks[0].reason


def test_the_upstream_gradient_differs_from_arguments_drawn_with_the_seed():
    # With dz = x the gradient of batch normalisation is zero, whatever the formula.
    x = np.random.default_rng(0).standard_normal((4, 2, 3, 3))

    def normalise(x):
        z, backward = ops.batchnorm2d(x, *np.ones((2, 2)), *ops.moments(x)[0], batch_statistics=True)
        return z, lambda dz: backward(dz)[0]

    assert gradcheck(normalise, x, seed=0).ok


def test_arguments_that_cannot_be_differentiated_are_refused():
    with pytest.raises(TypeError, match="gradcheck: labels: expected an array of floats, found int64"):
        gradcheck(lambda x, labels: ops.softmax_cross_entropy(x, labels), normal((3, 2)), np.arange(3) % 2)
    with pytest.raises(ValueError, match=r"gradcheck: x: expected finite values, found NaN"):
        gradcheck(ops.relu, np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match=r"gradcheck: x: expected at least one element, found shape \(0,\)"):
        gradcheck(ops.relu, np.empty(0))
