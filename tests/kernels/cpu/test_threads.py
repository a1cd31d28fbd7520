"""Threads over a batch: a fixed partition, the same bits, and a number of threads that one can set."""

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
    """A function that sets how many threads work on a batch."""
    yield threads.set_thread_count
    threads.set_thread_count(None)


@pytest.fixture
def with_variable(monkeypatch):
    """A function that sets TINYDNN_THREADS, or takes it away."""

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
    ("count", "threads_asked", "parts"),
    [
        (7, 3, [(0, 2), (2, 4), (4, 7)]),
        (4, 2, [(0, 2), (2, 4)]),
        (2, 8, [(0, 1), (1, 2)]),
        (1, 4, [(0, 1)]),
        (5, 1, [(0, 5)]),
    ],
)
def test_the_partition_depends_on_count_and_threads_alone(with_threads, count, threads_asked, parts):
    with_threads(threads_asked)
    for _ in range(3):
        assert threads.over_batch(count, lambda part: (part.start, part.stop)) == parts


def test_parts_run_side_by_side(with_threads):
    with_threads(2)
    meeting = threading.Barrier(2, timeout=10)
    assert sorted(threads.over_batch(2, lambda part: meeting.wait())) == [0, 1]


def test_work_on_a_part_may_divide_it_further(with_threads):
    with_threads(2)
    inner = threads.over_batch(4, lambda part: threads.over_batch(3, lambda inner: (inner.start, inner.stop)))
    assert inner == [[(0, 1), (1, 3)]] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_process_has_threads_of_its_own(with_threads):
    with_threads(2)
    meeting = threading.Barrier(2, timeout=10)
    threads.over_batch(2, lambda part: meeting.wait())  # both threads have begun
    child = multiprocessing.get_context("fork").Process(target=threads.over_batch, args=(2, lambda part: None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of newer Pythons, where a process with threads forks
        child.start()
    child.join(10)
    child.kill()
    assert child.exitcode == 0


def test_what_a_part_raises_reaches_the_caller(with_threads):
    with_threads(2)
    with pytest.raises(ZeroDivisionError):
        threads.over_batch(4, lambda part: 1 // part.start)


def test_silenced_floating_point_warnings_stay_silent_in_every_thread(with_threads):
    with_threads(2)
    large = np.full(4, 1e38, np.float32)
    with np.errstate(all="ignore"):
        products = threads.over_batch(2, lambda part: large * large)
    assert np.isinf(products).all()


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5", "", " 2"])
def test_a_number_of_threads_that_is_none_is_refused(with_variable, wrong):
    with_variable(wrong)
    with pytest.raises(InputError, match=f"TINYDNN_THREADS: expected a whole number of at least 1, found {wrong!r}"):
        threads.thread_count()


def test_without_the_variable_there_is_a_thread_for_each_core(with_variable):
    with_variable(None)
    assert threads.thread_count() == threads.available_cores() >= 1


def test_what_is_set_beats_the_variable_until_it_is_taken_back(with_variable):
    with_variable("3")
    assert threads.thread_count() == 3
    threads.set_thread_count(2)
    assert threads.thread_count() == 2
    threads.set_thread_count(None)
    assert threads.thread_count() == 3


def test_less_than_one_thread_is_refused_and_changes_nothing(with_threads):
    with_threads(2)
    with pytest.raises(InputError, match="threads: expected at least 1, found 0"):
        with_threads(0)
    assert threads.thread_count() == 2


def test_another_number_of_threads_has_a_pool_of_its_own(with_threads):
    for count in (2, 3, 2):
        with_threads(count)
        meeting = threading.Barrier(count, timeout=10)
        assert sorted(threads.over_batch(count, lambda part: meeting.wait())) == list(range(count))  # noqa: B023


def test_threads_of_a_pool_that_is_not_used_any_more_end(with_threads):
    with_threads(3)
    workers = threads.over_batch(3, lambda part: threading.current_thread())
    with_threads(2)
    threads.over_batch(2, lambda part: None)
    for worker in workers:
        worker.join(10)
        assert not worker.is_alive()


def test_the_number_may_change_while_a_batch_is_worked_on(with_threads):
    with_threads(2)

    def work(part):
        with_threads(3)
        return threads.over_batch(3, lambda inner: inner.start)

    assert threads.over_batch(2, work) == [[0, 1, 2]] * 2


def training_step():
    """Logits and all gradients of the baseline model."""
    model = baseline_cnn(image_size=32)
    x = np.random.default_rng(0).standard_normal((5, 1, 32, 32)).astype(np.float32)
    logits, backward = model(x)
    _, loss_backward = ops.softmax_cross_entropy(logits, np.array([0, 1, 2, 0, 1]))
    backward(loss_backward(), need_dx=False)
    return {"logits": logits, **{name: one.grad for name, one in model.parameters().items()}}


@pytest.mark.parametrize("implementations", [{}, {"conv2d": "im2col"}])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_same_inputs_and_threads_give_the_same_bits(with_threads, count, implementations):
    with_threads(count)
    with ops.use(**implementations):
        first, second = training_step(), training_step()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_more_threads_change_no_more_than_the_order_of_sums(with_threads):
    with_threads(1)
    alone = training_step()
    with_threads(2)
    shared = training_step()
    for name, array in alone.items():
        assert np.abs(shared[name] - array).max() <= 1e-5 * np.abs(array).max(), name
