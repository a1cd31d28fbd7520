"""The next batch is made while the present one is used."""

import threading

import pytest

from tinydnn.training.prefetch import prefetch


def test_everything_comes_in_order():
    assert list(prefetch(lambda item: 2 * item, range(5))) == [0, 2, 4, 6, 8]
    assert list(prefetch(lambda item: item, [])) == []


def test_one_is_made_ahead_in_another_thread_and_no_more():
    made, second = [], threading.Event()

    def make(item):
        made.append((item, threading.current_thread() is threading.main_thread()))
        if item == 1:
            second.set()
        return item

    coming = prefetch(make, range(9))
    assert next(coming) == 0
    assert second.wait(5)
    assert made == [(0, False), (1, False)]
    coming.close()


def test_what_making_raises_is_raised_in_its_turn():
    coming = prefetch(lambda item: 1 / item, [1, 0, 2])
    assert next(coming) == 1
    with pytest.raises(ZeroDivisionError):
        next(coming)
