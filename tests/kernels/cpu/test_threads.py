"""Threads over a batch: a fixed partition, the same bits, and a thread count that can be set."""

import multiprocessing
import os
import threading
import warnings

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.errors import InputError
from tinydnn.kernels.cpu import threads
from tinydnn.models import baseline_cnn


@pytest.fixture
def with_threads():
    """`set_thread_count`, reset afterwards."""
    yield threads.set_thread_count
    threads.set_thread_count(None)


@pytest.fixture
def with_variable(monkeypatch):
    """A function that sets TINYDNN_THREADS, or unsets it for None."""

    def choose(text):
        if text is None:
            monkeypatch.delenv("TINYDNN_THREADS", raising=False)
        else:
            monkeypatch.setenv("TINYDNN_THREADS", text)
        threads.set_thread_count(None)

    yield choose
    monkeypatch.undo()
    threads.set_thread_count(None)


@pytest.mark.parametrize(
    ("count", "thread_count", "parts"),
    [
        (7, 3, [(0, 2), (2, 4), (4, 7)]),
        (4, 2, [(0, 2), (2, 4)]),
        (2, 8, [(0, 1), (1, 2)]),
        (1, 4, [(0, 1)]),
        (5, 1, [(0, 5)]),
    ],
)
def test_the_partition_is_fixed(with_threads, count, thread_count, parts):
    with_threads(thread_count)
    for _ in range(3):
        assert threads.over_batch(count, lambda part: (part.start, part.stop)) == parts


def test_parts_run_in_parallel(with_threads):
    with_threads(2)
    barrier = threading.Barrier(2, timeout=10)
    assert sorted(threads.over_batch(2, lambda part: barrier.wait())) == [0, 1]


def test_calls_may_be_nested(with_threads):
    with_threads(2)
    inner = threads.over_batch(4, lambda part: threads.over_batch(3, lambda inner: (inner.start, inner.stop)))
    assert inner == [[(0, 1), (1, 3)]] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_has_threads_of_its_own(with_threads):
    with_threads(2)
    barrier = threading.Barrier(2, timeout=10)
    threads.over_batch(2, lambda part: barrier.wait())  # both threads have started
    child = multiprocessing.get_context("fork").Process(target=threads.over_batch, args=(2, lambda part: None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of a fork with threads
        child.start()
    child.join(10)
    child.kill()
    assert child.exitcode == 0


def test_an_error_in_a_part_reaches_the_caller(with_threads):
    with_threads(2)
    with pytest.raises(ZeroDivisionError):
        threads.over_batch(4, lambda part: 1 // part.start)


def test_silenced_warnings_stay_silent_in_every_thread(with_threads):
    with_threads(2)
    large = np.full(4, 1e38, np.float32)
    with np.errstate(all="ignore"):
        products = threads.over_batch(2, lambda part: large * large)
    assert np.isinf(products).all()


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5", "", " 2"])
def test_an_invalid_number_of_threads_is_refused(with_variable, wrong):
    with_variable(wrong)
    with pytest.raises(InputError, match=f"TINYDNN_THREADS: expected a whole number of at least 1, found {wrong!r}"):
        threads.thread_count()


def test_the_default_is_one_thread_per_core(with_variable):
    with_variable(None)
    assert threads.thread_count() == threads.available_cores() >= 1


def test_a_set_count_overrides_the_variable_until_reset(with_variable):
    with_variable("3")
    assert threads.thread_count() == 3
    threads.set_thread_count(2)
    assert threads.thread_count() == 2
    threads.set_thread_count(None)
    assert threads.thread_count() == 3


def test_less_than_one_thread_is_refused_without_effect(with_threads):
    with_threads(2)
    with pytest.raises(InputError, match="threads: expected at least 1, found 0"):
        with_threads(0)
    assert threads.thread_count() == 2


def test_each_number_of_threads_has_a_pool_of_its_own(with_threads):
    for count in (2, 3, 2):
        with_threads(count)
        barrier = threading.Barrier(count, timeout=10)
        assert sorted(threads.over_batch(count, lambda part: barrier.wait())) == list(range(count))  # noqa: B023


def test_the_threads_of_a_replaced_pool_end(with_threads):
    with_threads(3)
    workers = threads.over_batch(3, lambda part: threading.current_thread())
    with_threads(2)
    threads.over_batch(2, lambda part: None)
    for worker in workers:
        worker.join(10)
        assert not worker.is_alive()


def test_the_count_may_change_while_a_batch_is_in_progress(with_threads):
    with_threads(2)

    def work(part):
        with_threads(3)
        return threads.over_batch(3, lambda inner: inner.start)

    assert threads.over_batch(2, work) == [[0, 1, 2]] * 2


def training_step():
    """The logits and all gradients of the baseline model."""
    model = baseline_cnn(image_size=32)
    x = np.random.default_rng(0).standard_normal((5, 1, 32, 32)).astype(np.float32)
    logits, backward = model(x)
    _, loss_backward = ops.softmax_cross_entropy(logits, np.array([0, 1, 2, 0, 1]))
    backward(loss_backward(), need_dx=False)
    return {"logits": logits, **{name: parameter.grad for name, parameter in model.parameters().items()}}


@pytest.mark.parametrize("implementations", [{}, {"conv2d": "im2col"}])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_bits_are_reproducible(with_threads, count, implementations):
    with_threads(count)
    with ops.use(**implementations):
        first, second = training_step(), training_step()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_the_thread_count_affects_only_the_order_of_sums(with_threads):
    with_threads(1)
    single = training_step()
    with_threads(2)
    double = training_step()
    for name, array in single.items():
        assert np.abs(double[name] - array).max() <= 1e-5 * np.abs(array).max(), name
