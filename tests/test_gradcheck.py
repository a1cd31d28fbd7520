"""A gradient check passes what is right, and says of what is wrong how it is wrong."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from typer.testing import CliRunner

import tinydnn.cli.gradcheck  # noqa: F401 - registers the command
from tinydnn import layers, models, ops
from tinydnn.cli.app import app
from tinydnn.errors import InputError
from tinydnn.gradcheck import GradientError, Verdict, gradcheck, gradcheck_layer
from tinydnn.gradcheck.numeric import derivative, noise
from tinydnn.gradcheck.survey import subjects, survey

normal = np.random.default_rng(5).standard_normal
X, W, B = normal((2, 3, 5, 5)), normal((3, 3, 3, 3)), normal(3)
convolve = partial(ops.conv2d, padding=1)


def altered(change: Callable, function: Callable = convolve) -> Callable:
    """`function` with gradients as `change` makes them of the right ones."""

    def wrong(x, w, b):
        z, right = function(x, w, b)
        return z, lambda dz: change(dz, *right(dz))

    return wrong


def verdicts(report) -> dict[str, str]:
    return {check.argument: check.verdict for check in report.checks}


# --- What is right ------------------------------------------------------------------------------------------------


def test_a_right_gradient_passes_for_every_argument():
    report = gradcheck(convolve, X, W, B, name="conv2d")
    assert verdicts(report) == dict.fromkeys("xwb", Verdict.OK)
    assert report.worst.error < 1e-9
    report.raise_if_failed()


def test_the_report_names_function_implementation_and_dtype():
    with ops.use(conv2d="im2col"):
        report = gradcheck(convolve, X, W, B, name="conv2d")
    assert (report.name, report.implementation, report.dtype) == ("conv2d", "im2col", "float64")
    assert str(report).startswith("conv2d (im2col, float64)\n  x: ok")


def test_an_argument_that_is_none_is_left_out():
    assert verdicts(gradcheck(convolve, X, W, None)) == {"x": Verdict.OK, "w": Verdict.OK}


def test_float32_arrays_are_checked_in_float64():
    assert gradcheck(ops.sigmoid, normal((3, 4)).astype(np.float32)).worst.error < 1e-8


@pytest.mark.parametrize("seed", range(20))
def test_kinks_near_the_point_do_not_fail_a_right_gradient(seed):
    x = np.random.default_rng(seed).standard_normal((4, 1, 20, 20))
    assert gradcheck(ops.relu, x, seed=seed).ok
    assert gradcheck(ops.maxpool2d, x, seed=seed).ok


@pytest.mark.parametrize("operation", [ops.relu, ops.maxpool2d])
def test_a_point_on_a_kink_is_left_for_one_beside_it(operation):
    report = gradcheck(operation, np.round(normal((2, 2, 6, 6))))
    assert report.ok
    assert "lies on a kink" in report.checks[0].reason


def test_upstream_gradients_are_not_the_numbers_that_the_caller_drew_with_the_same_seed():
    # With dz = x the gradient of a batch normalisation is zero, whatever its formula.
    x = np.random.default_rng(0).standard_normal((4, 2, 3, 3))

    def normalise(x):
        z, backward = ops.batchnorm2d(x, *np.ones((2, 2)), *ops.moments(x), batch_statistics=True)
        return z, lambda dz: backward(dz)[0]

    assert gradcheck(normalise, x, seed=0).ok


# --- What is wrong ------------------------------------------------------------------------------------------------


def shifted(dx: np.ndarray) -> np.ndarray:
    """The gradient as it comes out when the padding is cut off one pixel too late."""
    return np.pad(dx, ((0, 0), (0, 0), (0, 1), (0, 1)))[:, :, 1:, 1:]


WRONG = {
    "sign": (lambda dz, dx, dw, db: (dx, -dw, db), "w", Verdict.SIGN, "opposite sign"),
    "factor": (lambda dz, dx, dw, db: (2 * dx, dw, db), "x", Verdict.FACTOR, "2 times the right gradient"),
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
    "one too few": (lambda dz, dx, dw, db: (dx, dw), "x", Verdict.SHAPE, "expected 3 gradients (x, w, b), found 2"),
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
def test_a_single_component_that_is_slightly_wrong_is_caught(error, seed):
    def change(dz, dx, dw, db):
        dw[1, 2, 0, 1] *= 1 + error
        return dx, dw, db

    assert verdicts(gradcheck(altered(change), X, W, B, names="xwb", seed=seed))["w"] == Verdict.WRONG


def test_a_missing_term_is_caught():
    def without_means(x, gamma, beta):
        mean, var = ops.moments(x)
        z, right = ops.batchnorm2d(x, gamma, beta, mean, var, batch_statistics=True)
        scale = (gamma / np.sqrt(var + 1e-5))[:, None, None]
        return z, lambda dz: (dz * scale, *right(dz)[1:])

    x = normal((2, 3, 4, 5))
    assert verdicts(gradcheck(without_means, x, B, B)) == {"x": "wrong", "gamma": "ok", "beta": "ok"}


def test_a_shift_by_one_pixel_along_one_axis_is_named():
    report = gradcheck(altered(lambda dz, dx, dw, db: (np.roll(dx, 1, axis=3), dw, db)), X, W, B)
    assert report.worst.verdict is Verdict.SHIFTED
    assert "moved by (+0, +1)" in report.worst.reason


def test_in_a_large_argument_a_sign_or_factor_is_named_all_the_same():
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
        z, backward = ops.batchnorm2d(moved, *np.ones((2, 3)), *ops.moments(moved), batch_statistics=True)

        def both(dz):
            dx = backward(dz)[0]
            return dx, dx.sum(axis=(0, 2, 3))

        return z, both

    report = gradcheck(bias_before_normalisation, normal((2, 3, 4, 5)), B)
    assert verdicts(report) == {"x": Verdict.OK, "b": Verdict.BOTH_ZERO}


def test_a_gradient_of_what_does_not_matter_is_wrong():
    report = gradcheck(lambda x, y: (2 * x, lambda dz: (2 * dz, dz)), normal(4), normal(4))
    assert report.worst.argument == "y"
    assert "does not depend on this argument" in report.worst.reason


@pytest.mark.parametrize("argument", ["x", "w", "b", "dz", "value"])
def test_a_backward_that_writes_to_what_it_was_given_is_caught(argument):
    def function(x, w, b):
        z, right = convolve(x, w, b)

        def backward(dz):
            gradients = right(dz)
            {"x": x, "w": w, "b": b, "dz": dz, "value": z}[argument][...] *= 2
            return gradients

        return z, backward

    worst = gradcheck(function, X, W, B).worst
    assert (worst.argument, worst.verdict, worst.reason) == (argument, Verdict.WROTE, f"backward wrote to {argument}")


def test_a_forward_that_writes_to_its_inputs_is_caught_and_the_caller_keeps_his_array():
    def relu_in_place(x):
        positive = x > 0
        x *= positive
        return x.copy(), lambda dz: dz * positive

    x = normal((3, 4))
    before = x.copy()
    assert gradcheck(relu_in_place, x).worst.reason == "forward wrote to x"
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("function", [convolve, ops.conv2d])
def test_need_dx_must_be_heeded(function):
    def ignoring(x, w, b):
        z, right = function(x, w, b)
        return z, lambda dz, need_dx=True: right(dz)

    def losing(x, w, b):
        z, right = function(x, w, b)
        return z, lambda dz, need_dx=True: right(dz) if need_dx else (None, *(0 * g for g in right(dz)[1:]))

    assert gradcheck(ignoring, X, W, B).worst.verdict is Verdict.NEED_DX
    assert gradcheck(losing, X, W, B).worst.verdict is Verdict.NEED_DX


def test_a_backward_that_remembers_is_caught():
    total = [0]

    def accumulating(x):
        def backward(dz):
            total[0] = total[0] + 2 * dz
            return total[0]

        return 2 * x, backward

    assert gradcheck(accumulating, normal(4)).worst.verdict is Verdict.NOT_LINEAR


# --- Precision ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["forward", "backward, of dz", "backward, of w"])
@pytest.mark.parametrize("seed", range(5))
def test_float32_inside_is_told_from_a_wrong_gradient(inside, seed):
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


def test_a_function_that_draws_at_random_is_caught():
    rng = np.random.default_rng(0)
    worst = gradcheck(lambda x: ops.dropout(x, rng.random(x.shape) < 0.5, rate=0.5), X).worst
    assert worst.verdict is Verdict.PRECISION
    assert "at random" in worst.reason


# --- Kinks --------------------------------------------------------------------------------------------------------


def zigzag(x):
    """Up and down with the slopes 3 and 1, and a kink every 0.00001."""
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
def test_noise_tells_the_precision(dtype, least, most):
    x = normal(100)
    values = [np.sin((x * (1 + k * 1e-7)).astype(dtype)).astype(np.float64) for k in range(5)]
    assert least < noise(values) < most or noise(values) == least


# --- Layers, models, and all that there is ------------------------------------------------------------------------


def test_a_layer_is_checked_in_float64_and_left_as_it_was():
    layer = layers.Conv2d(3, 4, 3, rng=np.random.default_rng(0))
    before = layer.weight.value
    report = gradcheck_layer(layer, X)
    assert verdicts(report) == {"x": "ok", "weight": "ok", "bias": "ok"}
    assert layer.weight.value is before
    assert layer.weight.value.dtype == np.float32


def test_dropout_draws_the_same_mask_throughout_and_the_layers_generator_stays():
    layer = layers.Dropout(0.5, rng=np.random.default_rng(0))
    before = layer.random_state()
    assert gradcheck_layer(layer, normal((6, 7))).ok
    assert layer.random_state() == before


def test_a_layer_that_forgets_a_gradient_is_caught():
    class Forgetful(layers.Linear):
        def __call__(self, x, *, training=False):
            z, backward = super().__call__(x, training=training)

            def wrong(dz, need_dx=True):
                dx = backward(dz, need_dx=need_dx)
                self.bias.grad = self.bias.grad[:1] * np.ones(3)
                return dx

            return z, wrong

    report = gradcheck_layer(Forgetful(4, 3, rng=np.random.default_rng(0)), normal((5, 4)))
    assert verdicts(report) == {"x": "ok", "weight": "ok", "bias": "wrong"}


def test_a_fault_deep_in_a_model_is_named_by_its_parameter():
    class Conv2d(layers.Conv2d):
        def setting_gradients(self, op_backward):
            right = super().setting_gradients(op_backward)

            def backward(dz, need_dx=True):
                dx = right(dz, need_dx=need_dx)
                self.weight.grad = -self.weight.grad
                return dx

            return backward

    model = models.baseline_cnn(image_size=16)
    model.layers[3].__class__ = Conv2d
    report = gradcheck_layer(model, normal((2, 1, 16, 16)))
    assert {name for name, verdict in verdicts(report).items() if verdict != "ok"} == {"03-conv2d/weight"}
    assert report.worst.verdict is Verdict.SIGN


def test_the_survey_covers_every_operation_layer_and_model():
    known = subjects()
    assert set(ops.operations()) <= set(known)
    own = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}
    assert own - {"Layer", "Parameter", "Buffer", "Sequential"} <= set(known)
    assert {model.__name__ for model in models.MODELS.values()} <= set(known)


def test_the_survey_has_a_row_for_each_implementation_and_dtype():
    rows = list(survey(["maxpool2d"]))
    found = {(row.implementation, row.dtype) for row in rows}
    assert found == {(name, dtype) for name in ops.maxpool2d.implementations for dtype in ("float64", "float32")}
    assert all(row.verdict == "ok" for row in rows)


def test_the_survey_refuses_an_unknown_name():
    with pytest.raises(InputError, match=r"expected one of avgpool2d.*found 'conv3d'"):
        list(survey(["conv3d"]))


def test_the_survey_goes_on_after_an_implementation_that_raises(monkeypatch):
    monkeypatch.setattr(ops.relu, "implementations", dict(ops.relu.implementations))

    @ops.relu.implementation("broken")
    def relu(x):
        raise RuntimeError("out of order")

    rows = {(row.implementation, row.dtype): row for row in survey(["relu"])}
    assert rows["reference", "float64"].verdict == Verdict.OK
    assert rows["broken", "float64"].verdict == Verdict.RAISED
    assert "RuntimeError: out of order" in rows["broken", "float64"].failed[0].worst.reason


# --- Misuse -------------------------------------------------------------------------------------------------------


def test_arguments_that_cannot_be_differentiated_are_refused():
    with pytest.raises(TypeError, match="gradcheck: labels: expected an array of floats, found int64"):
        gradcheck(lambda x, labels: ops.softmax_cross_entropy(x, labels), normal((3, 2)), np.arange(3) % 2)
    with pytest.raises(ValueError, match=r"gradcheck: x: expected finite numbers"):
        gradcheck(ops.relu, np.array([1.0, np.nan]))


# --- The command --------------------------------------------------------------------------------------------------


def test_the_command_prints_a_table_and_succeeds():
    result = CliRunner().invoke(app, ["gradcheck", "maxpool2d", "Linear"])
    assert result.exit_code == 0
    rows = [line.split() for line in result.output.splitlines()]
    for name in ops.maxpool2d.implementations:
        assert any(row[:3] == ["maxpool2d", name, "float64"] and row[-1] == "ok" for row in rows)
    assert any(row[:2] == ["Linear", "reference"] for row in rows)


def test_the_command_fails_where_a_gradient_is_wrong_and_says_where(monkeypatch):
    monkeypatch.setattr(ops.relu, "implementations", dict(ops.relu.implementations))

    @ops.relu.implementation("wrong")
    def relu(x):
        return np.maximum(x, 0), lambda dz: -dz * (x > 0)

    result = CliRunner().invoke(app, ["gradcheck", "relu"])
    assert result.exit_code == 1
    assert "relu: pictures (wrong, float64)\n  x: wrong sign" in result.output


def test_the_command_refuses_an_unknown_operation():
    assert isinstance(CliRunner().invoke(app, ["gradcheck", "conv3d"]).exception, InputError)
