"""Optimisers take the steps of their formulas; schedules begin, turn and end where they say."""

import math

import numpy as np
import pytest

from tinydnn import SGD, Adam, Parameter
from tinydnn.optim import constant, cosine, one_cycle, optimizer, step


def parameter(*values, grad=None):
    return Parameter(np.array(values, np.float64), None if grad is None else np.array(grad, np.float64))


def take_steps(make, gradients, start):
    """The values of a parameter after each step with these gradients."""
    theta = parameter(*start)
    optimizer, values = make({"theta": theta}), []
    for g in gradients:
        theta.grad = np.array(g, np.float64)
        optimizer.step()
        values.append(theta.value.tolist())
    return values


def test_plain_descent_goes_against_the_gradient():
    assert take_steps(lambda p: SGD(p, lr=0.1), [[2, -4], [1, 1]], [1, 1]) == [
        pytest.approx([0.8, 1.4]), pytest.approx([0.7, 1.3])
    ]  # fmt: skip


def test_momentum_adds_up_a_velocity():
    # v: 2, 0.9·2 + 2 = 3.8, 0.9·3.8 − 1 = 2.42
    values = take_steps(lambda p: SGD(p, lr=0.1, momentum=0.9), [[2], [2], [-1]], [1])
    assert np.ravel(values) == pytest.approx([0.8, 0.42, 0.178])


def test_nesterov_looks_ahead_along_the_velocity():
    # v: 2, 3.8; g + 0.9·v: 3.8, 5.42
    values = take_steps(lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True), [[2], [2]], [1])
    assert np.ravel(values) == pytest.approx([0.62, 0.078])


def test_weight_decay_pulls_towards_zero():
    values = take_steps(lambda p: SGD(p, lr=0.1, weight_decay=0.5), [[0], [2]], [1])
    assert np.ravel(values) == pytest.approx([0.95, 0.95 - 0.1 * (2 + 0.5 * 0.95)])


def test_the_first_step_of_adam_is_the_learning_rate_against_the_sign():
    assert take_steps(lambda p: Adam(p, lr=0.01), [[5, -0.003]], [1, 1]) == [pytest.approx([0.99, 1.01], rel=1e-5)]


def test_the_second_step_of_adam_is_that_of_the_formula():
    # m = 0.9·0.2 + 0.1·(−1), v = 0.999·0.004 + 0.001·1; corrected by 1 − 0.81 and 1 − 0.998001
    m_hat, v_hat = (0.18 - 0.1) / 0.19, (0.003996 + 0.001) / 0.001999
    values = take_steps(lambda p: Adam(p, lr=0.01), [[2], [-1]], [1])
    assert np.ravel(values) == pytest.approx([0.99, 0.99 - 0.01 * m_hat / (math.sqrt(v_hat) + 1e-8)], rel=1e-8)


def test_adam_counts_the_steps_of_each_parameter_by_itself():
    first, late = parameter(1, grad=[2]), parameter(1, grad=[2])
    late.lr_scale = 0
    optimizer = Adam({"first": first, "late": late}, lr=0.01)
    for _ in range(20):
        optimizer.step()
    assert late.value.tolist() == [1]
    late.lr_scale, late.grad = 0.5, np.array([-3.0])
    optimizer.step()
    assert optimizer.step_counts == {"first": 21, "late": 1}
    assert late.value == pytest.approx(1.005, rel=1e-5)  # its first step is its rate against the sign


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (SGD, "SGD", {"lr": 0.05}),
        (SGD, "SGD", {"lr": 0.05, "weight_decay": 0.1}),
        (SGD, "SGD", {"lr": 0.05, "momentum": 0.9}),
        (SGD, "SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
        (Adam, "Adam", {"lr": 0.05}),
        (Adam, "Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1}),
    ],
)
def test_ten_steps_agree_with_pytorch(ours, theirs, options):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(7), rng.standard_normal((10, 7))
    found = take_steps(lambda p: ours(p, **options), gradients, start)
    theta = torch.tensor(start, requires_grad=True)
    optimizer = getattr(torch.optim, theirs)([theta], **options)
    for g, value in zip(gradients, found, strict=True):
        theta.grad = torch.tensor(g)
        optimizer.step()
        assert value == pytest.approx(theta.detach().numpy(), rel=1e-10)


@pytest.mark.parametrize("make", [lambda p: SGD(p, lr=0.1, momentum=0.9), lambda p: Adam(p, lr=0.1)])
def test_a_step_moves_values_where_they_are_and_leaves_gradients_alone(make):
    theta = parameter(1, 2, grad=[3, 4])
    before, copy, gradient = theta.value, theta.value.copy(), theta.grad.copy()
    make({"theta": theta}).step()
    assert theta.value is before
    assert not np.array_equal(before, copy)
    assert np.array_equal(theta.grad, gradient)


@pytest.mark.parametrize("make", [lambda p: SGD(p, lr=0.1, momentum=0.9), lambda p: Adam(p, lr=0.1)])
def test_chunks_and_memory_layout_change_nothing(make, monkeypatch):
    draw = np.random.default_rng(0)
    value, grad = draw.standard_normal((7, 5)), draw.standard_normal((7, 5))
    moved = []
    for chunk, layout in ((optimizer.CHUNK, "C"), (4, "C"), (4, "F")):
        monkeypatch.setattr(optimizer, "CHUNK", chunk)
        theta = Parameter(value.copy(order=layout), grad.copy(order=layout))
        descent = make({"theta": theta})
        for _ in range(3):
            descent.step()
        moved.append(theta.value)
    assert np.array_equal(moved[0], moved[1])
    assert np.array_equal(moved[0], moved[2])


NUMBER = np.float64(0.5)  # of NumPy, which is enough to make float64 of float32


@pytest.mark.parametrize(
    "make",
    [
        lambda p: SGD(p, lr=NUMBER, momentum=NUMBER, nesterov=True, weight_decay=NUMBER),
        lambda p: Adam(p, lr=NUMBER, betas=(NUMBER, NUMBER), eps=NUMBER, weight_decay=NUMBER),
    ],
)
def test_float32_stays_float32_whatever_kind_of_numbers_the_settings_are(make):
    theta = Parameter(np.ones(2, np.float32), np.ones(2, np.float32))
    optimizer = make({"theta": theta})
    optimizer.lr = NUMBER
    optimizer.step()
    assert theta.value.dtype == np.float32
    assert {slot["theta"].dtype for slot in optimizer.state.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("make", [lambda p: SGD(p, lr=0.1, momentum=0.9), lambda p: Adam(p, lr=0.1)])
def test_a_missing_gradient_is_named_before_anything_moves(make):
    first, second = parameter(1, grad=[1]), parameter(1)
    optimizer = make({"first": first, "second": second})
    with pytest.raises(ValueError, match="second: expected a gradient, found none; run backward first"):
        optimizer.step()
    assert first.value.tolist() == [1]
    assert optimizer.steps == 0


def test_the_learning_rate_may_change_before_any_step():
    theta = parameter(1)
    optimizer = SGD({"theta": theta}, lr=1)
    for rate, value in [(0.5, 0.5), (0.25, 0.25), (0, 0.25)]:
        optimizer.lr, theta.grad = rate, np.array([1.0])
        optimizer.step()
        assert theta.value.tolist() == [value]


@pytest.mark.parametrize(
    ("make", "words"),
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
def test_what_makes_no_sense_is_refused(make, words):
    with pytest.raises(ValueError) as error:
        make()
    assert words in str(error.value)


def test_a_constant_rate_is_the_same_throughout():
    assert {constant(0.3)(t) for t in range(100)} == {0.3}


def test_steps_come_after_every_so_many_iterations():
    rate = step(1.0, every=3, factor=0.5)
    assert [rate(t) for t in range(8)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_the_cosine_falls_from_the_rate_to_zero_with_half_of_it_in_the_middle():
    rate = cosine(0.2, iterations=100)
    assert rate(0) == 0.2
    assert rate(50) == pytest.approx(0.1)
    assert rate(25) == pytest.approx(0.1 + 0.1 * math.sqrt(0.5))
    assert rate(100) == pytest.approx(0, abs=1e-15)
    assert rate(101) == rate(100)
    assert all(rate(t) > rate(t + 1) for t in range(100))


def test_one_cycle_rises_to_the_rate_and_falls_to_the_end():
    rate = one_cycle(0.5, iterations=101, warmup=0.3, start=0.04, end=4e-6)
    assert rate(0) == pytest.approx(0.5 * 0.04)
    assert rate(15) == pytest.approx(0.5 * (0.04 + 1) / 2)  # half-way up
    assert rate(30) == pytest.approx(0.5)
    assert rate(65) == pytest.approx(0.25, rel=1e-4)  # half-way down
    assert rate(100) == pytest.approx(0.5 * 4e-6)
    assert rate(200) == rate(100)
    rates = [rate(t) for t in range(101)]
    assert rates[:31] == sorted(rates[:31])
    assert rates[30:] == sorted(rates[30:], reverse=True)


@pytest.mark.parametrize("make", [cosine, one_cycle])
def test_a_training_of_one_iteration_has_a_rate(make):
    assert 0 < make(0.1, iterations=1)(0) <= 0.1


@pytest.mark.parametrize(
    "schedule", [constant(0.1), step(0.1, every=2), cosine(0.1, iterations=5), one_cycle(0.1, iterations=5)]
)
def test_rates_are_plain_numbers_that_depend_on_the_iteration_alone(schedule):
    first = [schedule(t) for t in range(8)]
    assert [schedule(t) for t in range(8)] == first
    assert all(type(rate) is float and 0 <= rate <= 0.1 for rate in first)
