"""Memory is lent again as soon as nobody uses it, and never while somebody does."""

import gc
import threading

import numpy as np
import pytest

from tinydnn.kernels.cpu import memory

LARGE = (300, 500)  # float32: 600 kB


@pytest.fixture(autouse=True)
def _no_blocks_left_over():
    memory._free.clear()
    yield
    memory._free.clear()


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (0, 4), LARGE, (2, 3, 4, 4099)])
@pytest.mark.parametrize("dtype", ["float32", np.float64, np.dtype(np.uint8), bool])
def test_it_looks_like_an_array_of_numpy_and_is_aligned(shape, dtype):
    array = memory.empty(shape, dtype)
    assert array.shape == shape
    assert array.dtype == np.dtype(dtype)
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.size == 0 or address(array) % 64 == 0
    array[...] = 1
    assert (array == 1).all()


def test_the_memory_of_an_array_that_died_is_lent_again():
    first = memory.empty(LARGE, np.float32)
    where = address(first)
    del first
    assert address(memory.empty(LARGE, np.float32)) == where


def test_zeros_are_zeros_whatever_was_there_before():
    memory.empty(LARGE, np.float32)[...] = 7
    again = memory.zeros(LARGE, np.float32)
    assert again.dtype == np.float32
    assert not again.any()


def test_another_shape_and_dtype_of_as_many_bytes_gets_it_too():
    first = memory.empty((256, 1024), np.float32)
    where = address(first)
    del first
    assert address(memory.empty((1024, 128), np.float64)) == where


def test_a_view_keeps_the_memory_from_being_lent_again():
    array = memory.empty(LARGE, np.float32)
    view = array.reshape(-1)[1000:2000].view(np.int32)[::2]
    view[...] = 7
    del array
    gc.collect()
    other = memory.empty(LARGE, np.float32)
    other[...] = 0
    assert not np.shares_memory(view, other)
    assert (view == 7).all()


def test_arrays_in_use_never_overlap():
    rng = np.random.default_rng(0)
    live = []
    for number in range(400):
        if len(live) > 8:
            live.pop(rng.integers(len(live)))
        array = memory.empty((int(rng.integers(1, 4)), 100, 300), np.int64)
        array[...] = number
        live.append(array)
        assert all((one == one.flat[0]).all() for one in live)
    assert len({one.flat[0] for one in live}) == len(live)


def test_arrays_of_several_threads_never_overlap():
    wrong = []

    def work(number):
        for turn in range(300):
            array = memory.empty((100, 200 + turn % 3), np.int64)
            array[...] = number
            if not (array == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert memory.idle_bytes() <= 6 * 3 * (100 * 203 * 8 + memory.PAGE)  # a block of each size for each thread


def test_the_same_requests_again_need_no_more_memory():
    def step():
        live = [memory.empty((size, 1000), np.float32) for size in range(20, 40)]
        return sum(one.nbytes for one in live)

    asked = step()
    kept = memory.idle_bytes()
    assert asked <= kept <= 1.1 * asked
    for _ in range(50):
        step()
    assert memory.idle_bytes() == kept


def test_blocks_that_nobody_asked_for_in_a_while_make_room_for_others():
    memory.empty((1000, 1000), np.float64)
    for _ in range(2 * memory.LIFETIME):
        memory.empty(LARGE, np.float32)
    assert memory.idle_bytes() >= 8_000_000  # nothing else was asked for
    memory.empty((400, 500), np.float32)
    assert memory.idle_bytes() < 2_000_000


def test_memory_stays_bounded_when_every_request_has_another_size():
    for size in range(3 * memory.LIFETIME):
        largest = memory.empty((memory.SMALLEST + size * memory.PAGE,), np.uint8).nbytes
        assert memory.idle_bytes() <= (memory.LIFETIME + 2) * (largest + memory.PAGE)


def test_small_arrays_are_left_to_numpy():
    memory.empty((100,), np.float32)
    assert memory.idle_bytes() == 0
