"""A wrong backward is caught, and the report names the mistake."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.gradcheck import GradientError, Verdict, gradcheck


def normal(shape):
    return np.random.default_rng(5).standard_normal(shape)


X, W, B = normal((2, 3, 5, 5)), normal((3, 3, 3, 3)), normal(3)
convolve = partial(ops.conv2d, padding=1)


def altered(change: Callable, function: Callable = convolve) -> Callable:
    """`function` with `change` applied to its gradients."""

    def wrong(x, w, b):
        z, right = function(x, w, b)
        return z, lambda dz: change(dz, *right(dz))

    return wrong


def verdicts(report) -> dict[str, str]:
    return {check.argument: check.verdict for check in report.checks}


def shifted(dx: np.ndarray) -> np.ndarray:
    """The gradient with the padding removed one pixel too late."""
    return np.pad(dx, ((0, 0), (0, 0), (0, 1), (0, 1)))[:, :, 1:, 1:]


WRONG = {
    "sign": (lambda dz, dx, dw, db: (dx, -dw, db), "w", Verdict.SIGN, "correct except for the sign"),
    "factor": (lambda dz, dx, dw, db: (2 * dx, dw, db), "x", Verdict.FACTOR, "2 times the correct gradient"),
    "mean in place of sum": (lambda dz, dx, dw, db: (dx, dw, db / 50), "b", Verdict.FACTOR, "0.02 times"),
    "transposed": (lambda dz, dx, dw, db: (dx, dw.swapaxes(0, 1), db), "w", Verdict.TRANSPOSED, "axes 0 and 1"),
    "flipped": (lambda dz, dx, dw, db: (dx, dw[:, :, ::-1, ::-1], db), "w", Verdict.FLIPPED, "reversed"),
    "off by one": (lambda dz, dx, dw, db: (shifted(dx), dw, db), "x", Verdict.SHIFTED, "(-1, -1)"),
    "wrong axes, wrong shape": (
        lambda dz, dx, dw, db: (dx, dw, dz.sum(axis=(1, 2, 3))),
        "b",
        Verdict.SHAPE,
        "expected shape (3,), found (2,)",
    ),
    "wrong axes, right shape": (
        lambda dz, dx, dw, db: (dx, dw, dz[..., :3].sum(axis=(0, 1, 2))),
        "b",
        Verdict.WRONG,
        "3 of 3 components",
    ),
    "missing tap": (
        lambda dz, dx, dw, db: (dx, dw * (np.arange(9) < 8).reshape(3, 3), db),
        "w",
        Verdict.WRONG,
        "9 of 81 components are off",
    ),
    "zero": (lambda dz, dx, dw, db: (0 * dx, dw, db), "x", Verdict.ZERO, "only zeros"),
    "none": (lambda dz, dx, dw, db: (dx, dw, None), "b", Verdict.SHAPE, "found None"),
    "one too few": (lambda dz, dx, dw, db: (dx, dw), "x", Verdict.RETURN, "expected 3 gradients (x, w, b), found 2"),
    "NaN": (lambda dz, dx, dw, db: (dx, dw * np.nan, db), "w", Verdict.NOT_FINITE, "NaN"),
    "wrong dtype": (
        lambda dz, dx, dw, db: (dx.astype(np.float32), dw, db),
        "x",
        Verdict.DTYPE,
        "expected float64, found float32",
    ),
    "float32 inside": (
        lambda dz, dx, dw, db: (dx.astype(np.float32).astype(float), dw, db),
        "x",
        Verdict.PRECISION,
        "lower precision",
    ),
    "ones for dz": (lambda dz, dx, dw, db: (dx, dw, np.ones(3)), "b", Verdict.NOT_LINEAR, "not linear in dz"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_backward_is_caught_with_its_reason(kind):
    change, argument, verdict, reason = WRONG[kind]
    report = gradcheck(altered(change), X, W, B, names=("x", "w", "b"))
    assert not report.ok
    assert (report.worst.argument, report.worst.verdict) == (argument, verdict)
    assert reason in report.worst.reason
    with pytest.raises(GradientError, match=f"{argument}: {verdict}"):
        report.raise_if_failed()


@pytest.mark.parametrize("error", [1e-5, 1e-3, 1e-1])
@pytest.mark.parametrize("seed", range(5))
def test_a_slightly_wrong_single_component_is_caught(error, seed):
    def change(dz, dx, dw, db):
        dw[1, 2, 0, 1] *= 1 + error
        return dx, dw, db

    assert verdicts(gradcheck(altered(change), X, W, B, names="xwb", seed=seed))["w"] == Verdict.WRONG


def test_a_missing_term_is_caught():
    def without_means(x, gamma, beta):
        (mean, var), _ = ops.moments(x)
        z, right = ops.batchnorm2d(x, gamma, beta, mean, var, batch_statistics=True)
        scale = (gamma / np.sqrt(var + 1e-5))[:, None, None]
        return z, lambda dz: (dz * scale, *right(dz)[1:])

    x = normal((2, 3, 4, 5))
    assert verdicts(gradcheck(without_means, x, B, B)) == {"x": "wrong", "gamma": "ok", "beta": "ok"}


def test_a_shift_by_one_pixel_along_one_axis_is_named():
    report = gradcheck(altered(lambda dz, dx, dw, db: (np.roll(dx, 1, axis=3), dw, db)), X, W, B)
    assert report.worst.verdict is Verdict.SHIFTED
    assert "moved by (+0, +1)" in report.worst.reason


def test_a_sign_or_factor_is_named_for_large_arguments_too():
    def linear(x):
        return 3 * x, lambda dz: -3 * dz

    assert gradcheck(linear, normal((50, 100))).worst.verdict is Verdict.SIGN
    assert gradcheck(lambda x: (3 * x, lambda dz: dz), normal((50, 100))).worst.verdict is Verdict.FACTOR
    assert gradcheck(lambda x: (x**2, lambda dz: dz * x**2), normal((50, 100))).worst.verdict is Verdict.WRONG


def test_both_zero_is_a_failure():
    dead = gradcheck(lambda x: ops.relu(x - 100), normal((3, 4)))
    assert dead.worst.verdict is Verdict.BOTH_ZERO

    def bias_before_normalisation(x, b):
        moved = x + b[:, None, None]
        z, backward = ops.batchnorm2d(moved, *np.ones((2, 3)), *ops.moments(moved)[0], batch_statistics=True)

        def both(dz):
            dx = backward(dz)[0]
            return dx, dx.sum(axis=(0, 2, 3))

        return z, both

    report = gradcheck(bias_before_normalisation, normal((2, 3, 4, 5)), B)
    assert verdicts(report) == {"x": Verdict.OK, "b": Verdict.BOTH_ZERO}


def test_a_gradient_of_an_argument_without_effect_is_wrong():
    report = gradcheck(lambda x, y: (2 * x, lambda dz: (2 * dz, dz)), normal(4), normal(4))
    assert report.worst.argument == "y"
    assert "does not depend on this argument" in report.worst.reason


@pytest.mark.parametrize("argument", ["x", "w", "b", "dz", "value"])
def test_a_backward_that_writes_to_an_array_is_caught(argument):
    def function(x, w, b):
        z, right = convolve(x, w, b)

        def backward(dz):
            gradients = right(dz)
            {"x": x, "w": w, "b": b, "dz": dz, "value": z}[argument][...] *= 2
            return gradients

        return z, backward

    worst = gradcheck(function, X, W, B).worst
    assert (worst.argument, worst.verdict, worst.reason) == (argument, Verdict.WRITES, "backward wrote to this array")


def test_a_forward_that_writes_to_its_inputs_is_caught():
    def relu_in_place(x):
        positive = x > 0
        x *= positive
        return x.copy(), lambda dz: dz * positive

    x = normal((3, 4))
    before = x.copy()
    assert gradcheck(relu_in_place, x).worst.reason == "forward wrote to this array"
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("function", [convolve, ops.conv2d])
def test_ignoring_need_dx_is_caught(function):
    def ignoring(x, w, b):
        z, right = function(x, w, b)
        return z, lambda dz, need_dx=True: right(dz)

    def zeroing(x, w, b):
        z, right = function(x, w, b)
        return z, lambda dz, need_dx=True: right(dz) if need_dx else (None, *(0 * g for g in right(dz)[1:]))

    def losing(x, w, b):
        z, right = function(x, w, b)
        return z, lambda dz, need_dx=True: right(dz) if need_dx else (None, None, None)

    for wrong in (ignoring, zeroing, losing):
        assert gradcheck(wrong, X, W, B).worst.verdict is Verdict.NEED_DX


def test_a_stateful_backward_is_caught():
    total = [0]

    def accumulating(x):
        def backward(dz):
            total[0] = total[0] + 2 * dz
            return total[0]

        return 2 * x, backward

    assert gradcheck(accumulating, normal(4)).worst.verdict is Verdict.NOT_LINEAR
