"""Optimizer steps follow their formulas; schedules have their documented shape."""

import math

import numpy as np
import pytest

from tinydnn import SGD, Adam, Parameter
from tinydnn.layers import Linear, Sequential
from tinydnn.optim import Optimizer, constant, cosine, one_cycle, optimizer, step


def parameter(*values, grad=None):
    return Parameter(np.array(values, np.float64), None if grad is None else np.array(grad, np.float64))


def take_steps(make_optimizer, gradients, start):
    """The values of a parameter after each step with these gradients."""
    theta = parameter(*start)
    optimizer, values = make_optimizer({"theta": theta}), []
    for g in gradients:
        theta.grad = np.array(g, np.float64)
        optimizer.step()
        values.append(theta.value.tolist())
    return values


def test_plain_sgd_moves_against_the_gradient():
    assert take_steps(lambda p: SGD(p, lr=0.1), [[2, -4], [1, 1]], [1, 1]) == [
        pytest.approx([0.8, 1.4]), pytest.approx([0.7, 1.3])
    ]  # fmt: skip


def test_momentum_accumulates_a_velocity():
    # v: 2, 0.9·2 + 2 = 3.8, 0.9·3.8 − 1 = 2.42
    values = take_steps(lambda p: SGD(p, lr=0.1, momentum=0.9), [[2], [2], [-1]], [1])
    assert np.ravel(values) == pytest.approx([0.8, 0.42, 0.178])


def test_nesterov_momentum_adds_the_next_velocity_to_the_gradient():
    # v: 2, 3.8; g + 0.9·v: 3.8, 5.42
    values = take_steps(lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True), [[2], [2]], [1])
    assert np.ravel(values) == pytest.approx([0.62, 0.078])


def test_weight_decay_moves_values_towards_zero():
    values = take_steps(lambda p: SGD(p, lr=0.1, weight_decay=0.5), [[0], [2]], [1])
    assert np.ravel(values) == pytest.approx([0.95, 0.95 - 0.1 * (2 + 0.5 * 0.95)])


def test_the_first_step_of_adam_has_the_size_of_the_learning_rate():
    assert take_steps(lambda p: Adam(p, lr=0.01), [[5, -0.003]], [1, 1]) == [pytest.approx([0.99, 1.01], rel=1e-5)]


def test_the_second_step_of_adam_follows_the_formula():
    # m = 0.9·0.2 + 0.1·(−1), v = 0.999·0.004 + 0.001·1; corrected by 1 − 0.81 and 1 − 0.998001
    m_hat, v_hat = (0.18 - 0.1) / 0.19, (0.003996 + 0.001) / 0.001999
    values = take_steps(lambda p: Adam(p, lr=0.01), [[2], [-1]], [1])
    assert np.ravel(values) == pytest.approx([0.99, 0.99 - 0.01 * m_hat / (math.sqrt(v_hat) + 1e-8)], rel=1e-8)


def test_adam_counts_the_steps_of_each_parameter():
    first, late = parameter(1, grad=[2]), parameter(1, grad=[2])
    late.lr_scale = 0
    optimizer = Adam({"first": first, "late": late}, lr=0.01)
    for _ in range(20):
        optimizer.step()
    assert late.value.tolist() == [1]
    late.lr_scale, late.grad = 0.5, np.array([-3.0])
    optimizer.step()
    assert optimizer.step_counts == {"first": 21, "late": 1}
    assert late.value == pytest.approx(1.005, rel=1e-5)  # its first step: lr · lr_scale against the sign


@pytest.mark.parametrize(
    ("ours", "torch_name", "options"),
    [
        (SGD, "SGD", {"lr": 0.05}),
        (SGD, "SGD", {"lr": 0.05, "weight_decay": 0.1}),
        (SGD, "SGD", {"lr": 0.05, "momentum": 0.9}),
        (SGD, "SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
        (Adam, "Adam", {"lr": 0.05}),
        (Adam, "Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1}),
    ],
)
def test_ten_steps_agree_with_pytorch(ours, torch_name, options):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(7), rng.standard_normal((10, 7))
    values = take_steps(lambda p: ours(p, **options), gradients, start)
    theta = torch.tensor(start, requires_grad=True)
    optimizer = getattr(torch.optim, torch_name)([theta], **options)
    for g, value in zip(gradients, values, strict=True):
        theta.grad = torch.tensor(g)
        optimizer.step()
        assert value == pytest.approx(theta.detach().numpy(), rel=1e-10)


optimizers = pytest.mark.parametrize(
    "make_optimizer", [lambda p: SGD(p, lr=0.1, momentum=0.9), lambda p: Adam(p, lr=0.1)], ids=["sgd", "adam"]
)


@optimizers
def test_a_step_moves_values_in_place_and_does_not_change_gradients(make_optimizer):
    theta = parameter(1, 2, grad=[3, 4])
    value, before, gradient = theta.value, theta.value.copy(), theta.grad.copy()
    make_optimizer({"theta": theta}).step()
    assert theta.value is value
    assert not np.array_equal(value, before)
    assert np.array_equal(theta.grad, gradient)


@optimizers
def test_a_step_does_not_depend_on_chunks_or_memory_layout(make_optimizer, monkeypatch):
    rng = np.random.default_rng(0)
    value, grad = rng.standard_normal((7, 5)), rng.standard_normal((7, 5))
    values = []
    for chunk, layout in ((optimizer.CHUNK, "C"), (4, "C"), (4, "F")):
        monkeypatch.setattr(optimizer, "CHUNK", chunk)
        theta = Parameter(value.copy(order=layout), grad.copy(order=layout))
        steps = make_optimizer({"theta": theta})
        for _ in range(3):
            steps.step()
        values.append(theta.value)
    assert np.array_equal(values[0], values[1])
    assert np.array_equal(values[0], values[2])


HALF = np.float64(0.5)  # a NumPy scalar promotes float32 to float64


@pytest.mark.parametrize(
    "make_optimizer",
    [
        lambda p: SGD(p, lr=HALF, momentum=HALF, nesterov=True, weight_decay=HALF),
        lambda p: Adam(p, lr=HALF, betas=(HALF, HALF), eps=HALF, weight_decay=HALF),
    ],
)
def test_numpy_scalars_as_settings_leave_parameters_in_float32(make_optimizer):
    theta = Parameter(np.ones(2, np.float32), np.ones(2, np.float32))
    optimizer = make_optimizer({"theta": theta})
    optimizer.lr = HALF
    optimizer.step()
    assert theta.value.dtype == np.float32
    assert {averages["theta"].dtype for averages in optimizer.state.values()} == {np.dtype(np.float32)}


@optimizers
def test_a_missing_gradient_is_refused_before_any_value_moves(make_optimizer):
    first, second = parameter(1, grad=[1]), parameter(1)
    optimizer = make_optimizer({"first": first, "second": second})
    with pytest.raises(ValueError, match="second: expected a gradient, found none; run backward first"):
        optimizer.step()
    assert first.value.tolist() == [1]
    assert optimizer.steps == 0


def test_the_learning_rate_can_be_set_before_each_step():
    theta = parameter(1)
    optimizer = SGD({"theta": theta}, lr=1)
    for lr, value in [(0.5, 0.5), (0.25, 0.25), (0, 0.25)]:
        optimizer.lr, theta.grad = lr, np.array([1.0])
        optimizer.step()
        assert theta.value.tolist() == [value]


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (lambda: SGD({}, lr=-1), "SGD: lr: expected a number of at least 0, found -1"),
        (lambda: SGD({}, lr=math.nan), "lr: expected a number of at least 0, found nan"),
        (lambda: Adam({}, lr=math.inf), "Adam: lr: expected a number of at least 0, found inf"),
        (lambda: SGD({}, lr=1, momentum=1), "momentum: expected 0 <= momentum < 1, found 1"),
        (lambda: SGD({}, lr=1, nesterov=True), "nesterov: expected a momentum above 0, found 0"),
        (lambda: SGD({}, lr=1, weight_decay=-1), "weight_decay: expected a number of at least 0, found -1"),
        (lambda: Adam({}, lr=1, betas=(0.9, 1)), "betas: expected 0 <= beta < 1"),
        (lambda: Adam({}, lr=1, eps=0), "eps: expected a number above 0, found 0"),
        (lambda: Adam({}, lr=1, weight_decay=math.nan), "weight_decay: expected a number of at least 0, found nan"),
        (lambda: step(1, every=0), "every: expected at least 1, found 0"),
        (lambda: cosine(1, iterations=0), "iterations: expected at least 1, found 0"),
        (lambda: one_cycle(1, iterations=0), "iterations: expected at least 1, found 0"),
        (lambda: one_cycle(1, iterations=9, warmup=1), "warmup: expected 0 <= warmup < 1, found 1"),
    ],
)
def test_invalid_settings_are_refused(create, message):
    with pytest.raises(ValueError) as error:
        create()
    assert message in str(error.value)


def test_an_optimizer_registers_an_update_rule_for_a_device():
    class Descent(Optimizer):
        @staticmethod
        def update(theta, g, *, lr):
            theta -= lr * g

    @Descent.implementation("cuda")
    def on_gpu(theta, g, *, scalars):
        theta -= scalars[0] * g

    assert Descent.implementations == {"cuda": on_gpu}
    assert set(SGD.implementations) == set(Adam.implementations) == {"cuda"}  # each class has its own


def test_a_subclass_with_the_same_rule_has_its_implementations():
    class Named(SGD):
        pass

    assert Named.implementations is SGD.implementations


@pytest.mark.parametrize("make", [lambda p: SGD(p, lr=0.1, momentum=0.9), lambda p: Adam(p, lr=0.1)])
def test_a_scalar_parameter_keeps_its_shape(make):
    theta = Parameter(np.array(2.0), np.array(1.0))
    optimizer = make({"theta": theta})
    optimizer.step()
    assert theta.value.shape == ()
    assert {averages["theta"].shape for averages in optimizer.state.values()} == {()}


def test_the_implementation_for_the_device_updates_all_parameters_at_once(monkeypatch):
    launches = []

    def on_cpu(theta, g, velocity, *, scalars, momentum, nesterov, weight_decay):
        launches.append((theta.size, scalars.tolist()))
        SGD.update(
            theta, g, velocity, lr=float(scalars[0]), momentum=momentum, nesterov=nesterov, weight_decay=weight_decay
        )

    def values_after_two_steps():
        parameters = {name: Parameter(np.ones(4, np.float32)) for name in ("weight", "bias")}
        steps = SGD(parameters, lr=0.5, momentum=0.5)
        for _ in range(2):
            for parameter in parameters.values():
                parameter.grad = np.array([1, 2, 3, 4], np.float32)
            steps.step()
        return {name: parameter.value.tolist() for name, parameter in parameters.items()}

    expected = values_after_two_steps()
    monkeypatch.setattr(SGD, "implementations", {"cpu": on_cpu})
    assert values_after_two_steps() == expected
    assert launches == [(8, [0.5]), (8, [0.5])]


def test_a_constant_schedule_never_changes():
    assert {constant(0.3)(t) for t in range(100)} == {0.3}


def test_a_step_schedule_multiplies_the_rate_at_fixed_intervals():
    schedule = step(1.0, every=3, factor=0.5)
    assert [schedule(t) for t in range(8)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_the_cosine_schedule_falls_from_the_peak_to_zero():
    schedule = cosine(0.2, iterations=100)
    assert schedule(0) == 0.2
    assert schedule(50) == pytest.approx(0.1)
    assert schedule(25) == pytest.approx(0.1 + 0.1 * math.sqrt(0.5))
    assert schedule(100) == pytest.approx(0, abs=1e-15)
    assert schedule(101) == schedule(100)
    assert all(schedule(t) > schedule(t + 1) for t in range(100))


def test_one_cycle_rises_to_the_peak_and_falls_to_the_end():
    schedule = one_cycle(0.5, iterations=101, warmup=0.3, start=0.04, end=4e-6)
    assert schedule(0) == pytest.approx(0.5 * 0.04)
    assert schedule(15) == pytest.approx(0.5 * (0.04 + 1) / 2)  # half-way up
    assert schedule(30) == pytest.approx(0.5)
    assert schedule(65) == pytest.approx(0.25, rel=1e-4)  # half-way down
    assert schedule(100) == pytest.approx(0.5 * 4e-6)
    assert schedule(200) == schedule(100)
    learning_rates = [schedule(t) for t in range(101)]
    assert learning_rates[:31] == sorted(learning_rates[:31])
    assert learning_rates[30:] == sorted(learning_rates[30:], reverse=True)


@pytest.mark.parametrize("make_schedule", [cosine, one_cycle])
def test_a_schedule_of_one_iteration_has_a_positive_rate(make_schedule):
    assert 0 < make_schedule(0.1, iterations=1)(0) <= 0.1


@pytest.mark.parametrize(
    "schedule", [constant(0.1), step(0.1, every=2), cosine(0.1, iterations=5), one_cycle(0.1, iterations=5)]
)
def test_learning_rates_are_floats_that_depend_on_the_iteration_alone(schedule):
    first = [schedule(t) for t in range(8)]
    assert [schedule(t) for t in range(8)] == first
    assert all(type(lr) is float and 0 <= lr <= 0.1 for lr in first)


def test_a_model_instead_of_its_parameters_is_refused_with_the_right_form():
    model = Sequential(Linear(2, 1, rng=np.random.default_rng(0)))
    with pytest.raises(TypeError, match=r"^SGD: parameters: expected those of a model, model.parameters\(\), "):
        SGD(model, lr=0.1)
