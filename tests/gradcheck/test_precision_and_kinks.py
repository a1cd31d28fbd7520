"""Low precision and kinks are distinguished from wrong gradients, and hide none."""

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.gradcheck import Verdict, gradcheck
from tinydnn.gradcheck.numeric import derivative
from tinydnn.gradcheck.precision import noise


def normal(shape):
    return np.random.default_rng(5).standard_normal(shape)


X = normal((2, 3, 5, 5))


@pytest.mark.parametrize("inside", ["forward", "backward, of dz", "backward, of w"])
@pytest.mark.parametrize("seed", range(5))
def test_float32_inside_is_not_reported_as_a_wrong_gradient(inside, seed):
    def rounded(array):
        return array.astype(np.float32).astype(np.float64)

    def function(x, w, b):
        z, _ = ops.linear(rounded(x) if inside == "forward" else x, w, b)

        def backward(dz):
            if inside == "backward, of dz":
                dz = rounded(dz)
            return dz @ (rounded(w) if inside == "backward, of w" else w), dz.T @ x, dz.sum(axis=0)

        return z, backward

    report = gradcheck(function, normal((6, 5)), normal((4, 5)), normal(4), seed=seed)
    assert report.worst.verdict is Verdict.PRECISION


def test_a_value_in_float32_is_a_wrong_dtype():
    worst = gradcheck(lambda x: (x.astype(np.float32), lambda dz: dz), X).worst
    assert (worst.argument, worst.verdict) == ("value", Verdict.DTYPE)


def test_a_random_function_is_caught():
    rng = np.random.default_rng(0)
    worst = gradcheck(lambda x: ops.dropout(x, rng.random(x.shape) < 0.5, rate=0.5), X).worst
    assert worst.verdict is Verdict.PRECISION
    assert "random generator" in worst.reason


def zigzag(x):
    """A zigzag with the slopes 3 and 1, and a kink every 0.00001."""
    phase = x % 2e-5
    return 2 * x + np.minimum(phase, 2e-5 - phase), lambda dz: dz * np.where(phase < 1e-5, 3, 1)


def test_where_kinks_are_everywhere_the_check_is_inconclusive():
    report = gradcheck(zigzag, normal((30, 40)))
    assert not report.ok
    assert report.worst.verdict is Verdict.KINK


@pytest.mark.parametrize("seed", range(20))
def test_a_kink_does_not_hide_a_wrong_gradient(seed):
    x = np.round(np.random.default_rng(seed).standard_normal((2, 2, 6, 6)), 1)

    def leaky(x):
        return np.where(x > 0, x, 0.1 * x), lambda dz: np.where(x > 0, dz, 0.2 * dz)

    report = gradcheck(leaky, x, seed=seed)
    assert report.worst.verdict is Verdict.WRONG


@pytest.mark.parametrize("at", [0.0, 1e-4, 3e-4, 1e-3 / 3, 5e-4, 9e-4, 0.5])
def test_a_line_is_smooth_unless_it_has_a_kink_at_zero(at):
    found = derivative(lambda t: abs(t - at) - at, size=1.0, tolerance=1e-7, magnitude=1.0)
    assert found.smooth is (at > 0)
    if found.smooth:
        assert found.value == pytest.approx(-1, rel=1e-9)


def test_extrapolation_makes_the_derivative_of_a_curve_exact():
    found = derivative(lambda t: np.expm1(3 * t), size=1.0, tolerance=1e-4, magnitude=1.0)
    assert found.value == pytest.approx(3, rel=1e-11)


@pytest.mark.parametrize(("dtype", "least", "most"), [(np.float64, 0, 1e-14), (np.float32, 1e-9, 1e-6)])
def test_noise_shows_the_precision(dtype, least, most):
    x = normal(100)
    values = [np.sin((x * (1 + k * 1e-7)).astype(dtype)).astype(np.float64) for k in range(5)]
    assert least < noise(values) < most or noise(values) == least
