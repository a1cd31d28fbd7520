"""The next item is loaded while the current one is used."""

import threading

import pytest

from tinydnn.training.prefetch import prefetch


def test_items_arrive_in_order():
    assert list(prefetch(lambda item: 2 * item, range(5))) == [0, 2, 4, 6, 8]
    assert list(prefetch(lambda item: item, [])) == []


def test_exactly_one_item_is_loaded_ahead_in_another_thread():
    loaded, second_loaded = [], threading.Event()

    def load(item):
        loaded.append((item, threading.current_thread() is threading.main_thread()))
        if item == 1:
            second_loaded.set()
        return item

    results = prefetch(load, range(9))
    assert next(results) == 0
    assert second_loaded.wait(5)
    assert loaded == [(0, False), (1, False)]
    results.close()


def test_an_error_in_load_is_raised_when_its_turn_comes():
    results = prefetch(lambda item: 1 / item, [1, 0, 2])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
