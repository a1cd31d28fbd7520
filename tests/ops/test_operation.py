"""The choice among implementations: priorities, requests, predictions and traces; what registration refuses."""

import inspect
import pydoc

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.ops.implementation import REFERENCE, device_of_call
from tinydnn.ops.operation import _operations, operation

X = np.ones((1, 1, 4, 4))
W = np.ones((1, 1, 3, 3))


@pytest.fixture
def double():
    """An operation with two further implementations, registered for one test."""

    def check(x, *, times=1):
        if times < 1:
            raise ValueError("double: times: expected at least 1")

    @operation(check=check)
    def double(x, *, times=1):
        return x * 2**times, lambda dz: dz * 2**times

    @double.implementation("shift", priority=5, supports=lambda call: call.times == 1)
    def shift(x, *, times=1):
        return x + x, lambda dz: dz + dz

    @double.implementation("slow")
    def slow(x, *, times=1):
        return x * 2**times, lambda dz: dz * 2**times

    yield double
    del _operations["double"]


def implementations_run_by(function) -> list[str]:
    with ops.trace() as calls:
        function()
    return [call.implementation for call in calls]


def test_the_highest_priority_that_supports_the_arguments_runs(double):
    assert double.which(X) == "shift"
    assert double.which(X, times=2) == REFERENCE
    assert implementations_run_by(lambda: double(X)) == ["shift"]
    assert implementations_run_by(lambda: double(X, times=2)) == [REFERENCE]


def test_an_implementation_of_priority_0_runs_only_on_request(double):
    with ops.use(double="slow"):
        assert implementations_run_by(lambda: double(X)) == ["slow"]


def test_arguments_can_be_passed_by_name(double):
    assert double.which(x=X) == "shift"
    assert double.which(times=2, x=X) == REFERENCE
    assert np.array_equal(double(times=2, x=X)[0], 4 * X)


def test_the_innermost_request_wins_and_ends_with_its_block(double):
    with ops.use(double="slow"):
        with ops.use(double=REFERENCE):
            assert double.which(X) == REFERENCE
        assert double.which(X) == "slow"
        with ops.use(relu=REFERENCE):
            assert double.which(X) == "slow"
    assert double.which(X) == "shift"


def test_a_request_also_ends_when_its_block_raises(double):
    with pytest.raises(KeyError), ops.use(double="slow"):
        raise KeyError
    assert double.which(X) == "shift"


def test_one_block_requests_implementations_of_several_operations():
    with ops.use(conv2d=REFERENCE, maxpool2d=REFERENCE):
        assert (ops.conv2d.which(X, W, None), ops.maxpool2d.which(X)) == (REFERENCE, REFERENCE)


def test_a_request_that_does_not_support_the_arguments_raises(double):
    with ops.use(double="shift"):
        with pytest.raises(ValueError, match=r"double: the requested implementation 'shift' \(device cpu\)"):
            double(X, times=2)
        with pytest.raises(ValueError, match="does not support these arguments on cpu"):
            double.which(X, times=2)


def test_an_implementation_for_another_device_does_not_run(double):
    @double.implementation("on_gpu", device="cuda", priority=99)
    def on_gpu(x, *, times=1):
        raise AssertionError

    assert double.which(X) == "shift"
    with ops.use(double="on_gpu"), pytest.raises(ValueError, match=r"\(device cuda\) does not support .* on cpu"):
        double(X)


def test_unknown_names_are_refused_at_once(double):
    with (
        pytest.raises(ValueError, match=r"use: expected an operation \(.*conv2d.*\), found 'conv3d'"),
        ops.use(conv3d="x"),
    ):
        pass
    with (
        pytest.raises(
            ValueError, match=r"expected an implementation of double \(reference, shift, slow\), found 'fast'"
        ),
        ops.use(double="fast"),
    ):
        pass


def test_a_trace_records_calls_in_order_and_traces_nest(double):
    with ops.trace() as outer:
        double(X)
        with ops.trace() as inner:
            double(X, times=3)
    double(X)
    assert outer == [ops.Call("double", "shift"), ops.Call("double", REFERENCE)]
    assert inner == [ops.Call("double", REFERENCE)]


def test_which_records_nothing(double):
    assert implementations_run_by(lambda: double.which(X)) == []


def test_the_check_runs_before_every_implementation(double):
    for name in double.implementations:
        with ops.use(double=name), pytest.raises(ValueError, match="times: expected at least 1"):
            double(X, times=0)
    with pytest.raises(ValueError, match="times: expected at least 1"):
        double.which(X, times=0)


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (lambda x: None, "(x)"),
        (lambda y, *, times=1: None, "(y, *, times=1)"),
        (lambda x, times=1: None, "(x, times=1)"),
        (lambda x, *, times=2: None, "(x, *, times=2)"),
    ],
)
def test_a_signature_other_than_the_references_is_refused(double, function, parameters):
    with pytest.raises(TypeError) as raised:
        double.implementation("other")(function)
    expected = f"double implementation 'other': expected the parameters (x, *, times=1), found {parameters}"
    assert str(raised.value) == expected
    assert "other" not in double.implementations


def test_annotations_are_not_part_of_the_signature(double):
    @double.implementation("typed")
    def typed(x: np.ndarray, *, times: int = 1) -> tuple:
        return x * 2**times, lambda dz: dz * 2**times

    assert "typed" in double.implementations


def test_only_the_module_that_registered_a_name_can_register_it_again(double):
    @double.implementation("slow")
    def again(x, *, times=1):
        return x, lambda dz: dz

    assert double.implementations["slow"].function is again
    with pytest.raises(ValueError, match="relu implementation 'reference': expected a new name, found one that"):
        ops.relu.implementation("reference")(lambda x: None)


def test_an_operation_has_the_name_and_docstring_of_its_reference():
    assert ops.conv2d.__name__ == "conv2d"
    assert "cross-correlation" in ops.conv2d.__doc__
    assert repr(ops.conv2d).startswith("<operation conv2d(x, w, b, *, stride=1, padding=0): reference, ")
    assert ops.operations()["conv2d"] is ops.conv2d


def test_help_shows_the_signature_and_the_formula():
    assert str(inspect.signature(ops.conv2d)) == "(x, w, b, *, stride=1, padding=0)"
    text = pydoc.plaintext.document(ops.conv2d)
    assert text.startswith("conv2d(x, w, b, *, stride=1, padding=0)\n")
    assert "z[n,o,i,j] = Σ" in text


def test_an_operation_as_an_attribute_of_a_class_is_called_without_the_instance():
    class Model:
        activation = ops.relu

    assert Model().activation is ops.relu


def test_operations_returns_a_copy():
    ops.operations().clear()
    assert "conv2d" in ops.operations()


def test_backward_refuses_an_upstream_gradient_of_another_shape():
    _, backward = ops.relu(X)
    with pytest.raises(
        ValueError, match=r"relu backward: expected dz of the value's shape \(1, 1, 4, 4\), found \(4,\)"
    ):
        backward(np.ones(4))


def test_backward_refuses_an_upstream_gradient_of_another_dtype():
    _, backward = ops.relu(X.astype(np.float32))
    with pytest.raises(TypeError, match="expected dz of the value's dtype float32, found float64"):
        backward(X)


def test_an_implementation_for_an_unknown_device_is_refused(double):
    with pytest.raises(ValueError, match="device: expected one of cpu, cuda, any, found 'gpu'"):
        double.implementation("fast", device="gpu")(double.implementations["slow"].function)


def test_an_operation_name_of_another_module_is_refused():
    def relu(x):
        return x, lambda dz: dz

    with pytest.raises(ValueError, match=r"found 'relu' of tinydnn\.ops\.relu"):
        operation(check=lambda x: None)(relu)


@pytest.fixture
def with_forward_only(double):
    """`double` with an implementation of the forward pass only."""

    @double.forward("half", supports=lambda call: call.times == 1)
    def half(x, *, times=1):
        return x * 2

    return double


def test_a_forward_only_implementation_takes_the_reference_gradients(with_forward_only):
    with ops.use(double="half"):
        value, backward = with_forward_only(X)
    assert np.array_equal(value, 2 * X)
    assert np.array_equal(backward(X), 2 * X)


def test_the_trace_shows_that_gradients_are_those_of_the_reference(with_forward_only):
    with ops.use(double="half"):
        assert implementations_run_by(lambda: with_forward_only(X)) == ["half, backward: reference"]
        assert with_forward_only.which(X) == "half"
    assert with_forward_only.implementations["half"].forward_only
    assert not with_forward_only.implementations["shift"].forward_only


def test_a_forward_only_implementation_obeys_the_same_rules(with_forward_only):
    with pytest.raises(TypeError, match="expected the parameters"):
        with_forward_only.forward("other")(lambda x: x)
    with ops.use(double="half"), pytest.raises(ValueError, match="does not support"):
        with_forward_only(X, times=2)


def test_inference_mode_uses_the_inference_priority():
    @ops.relu.implementation("less exact", inference_priority=99)
    def relu(x):
        return np.maximum(x, 0), lambda dz: dz * (x > 0)

    try:
        x = np.ones(3)
        default = ops.relu.which(x)
        assert default != "less exact"
        with ops.inference_mode():
            assert ops.relu.which(x) == "less exact"
            with ops.use(relu="reference"):
                assert ops.relu.which(x) == "reference"
        assert ops.relu.which(x) == default
    finally:
        ops.relu.unregister("less exact")


def test_a_numpy_scalar_option_does_not_decide_the_device(monkeypatch):
    monkeypatch.setitem(device_of_call.__globals__, "device_of", lambda value: type(value).__name__)
    arguments = ops.maxpool2d.bind(np.ones((1, 1, 4, 4)), window=np.int64(2))
    assert device_of_call(arguments) == "ndarray"


def test_an_operation_may_have_a_parameter_named_device():
    try:

        @operation(check=lambda x, *, device="left": None)
        def turn(x, *, device="left"):
            return x.copy(), lambda dz: dz

        assert turn.which(np.ones(2), device="right") == "reference"
    finally:
        _operations.pop("turn")


def test_an_unregistered_implementation_no_longer_runs(double):
    assert double.which(X) == "shift"
    double.unregister("shift")
    assert double.which(X) != "shift"
    assert "shift" not in double.names()
    with pytest.raises(ValueError, match="other than the reference"):
        double.unregister("reference")


def test_implementations_change_by_registration_only(double):
    with pytest.raises(TypeError):
        del double.implementations["shift"]
