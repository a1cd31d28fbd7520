"""The pool reuses memory as soon as no array uses it, and never before."""

import gc
import threading

import numpy as np
import pytest

from tinydnn.kernels.cpu import memory

LARGE = (300, 500)  # float32: 600 kB


@pytest.fixture(autouse=True)
def _empty_pool():
    memory._idle.clear()
    yield
    memory._idle.clear()


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (0, 4), LARGE, (2, 3, 4, 4099)])
@pytest.mark.parametrize("dtype", ["float32", np.float64, np.dtype(np.uint8), bool])
def test_arrays_have_shape_and_dtype_and_are_aligned(shape, dtype):
    array = memory.empty(shape, dtype)
    assert array.shape == shape
    assert array.dtype == np.dtype(dtype)
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.size == 0 or address(array) % 64 == 0
    array[...] = 1
    assert (array == 1).all()


def test_the_memory_of_a_freed_array_is_reused():
    first = memory.empty(LARGE, np.float32)
    before = address(first)
    del first
    assert address(memory.empty(LARGE, np.float32)) == before


def test_zeros_are_zeros_in_reused_memory():
    memory.empty(LARGE, np.float32)[...] = 7
    again = memory.zeros(LARGE, np.float32)
    assert again.dtype == np.float32
    assert not again.any()


def test_another_shape_and_dtype_of_the_same_size_reuses_it():
    first = memory.empty((256, 1024), np.float32)
    before = address(first)
    del first
    assert address(memory.empty((1024, 128), np.float64)) == before


def test_memory_is_not_reused_while_a_view_exists():
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
        assert all((other == other.flat[0]).all() for other in live)
    assert len({array.flat[0] for array in live}) == len(live)


def test_arrays_in_several_threads_never_overlap():
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
    assert memory.idle_bytes() <= 6 * 3 * (100 * 203 * 8 + memory.PAGE)  # a buffer of each size for each thread


def test_repeating_a_step_needs_no_more_memory():
    def step():
        live = [memory.empty((size, 1000), np.float32) for size in range(20, 40)]
        return sum(array.nbytes for array in live)

    size = step()
    idle = memory.idle_bytes()
    assert size <= idle <= 1.1 * size
    for _ in range(50):
        step()
    assert memory.idle_bytes() == idle


def test_buffers_idle_for_long_are_freed_for_a_new_size():
    memory.empty((1000, 1000), np.float64)
    for _ in range(2 * memory.LIFETIME):
        memory.empty(LARGE, np.float32)
    assert memory.idle_bytes() >= 8_000_000  # no new size was requested
    memory.empty((400, 500), np.float32)
    assert memory.idle_bytes() < 2_000_000


def test_memory_is_bounded_if_every_request_has_a_new_size():
    for size in range(3 * memory.LIFETIME):
        largest = memory.empty((memory.SMALLEST + size * memory.PAGE,), np.uint8).nbytes
        assert memory.idle_bytes() <= (memory.LIFETIME + 2) * (largest + memory.PAGE)


def test_small_arrays_are_left_to_numpy():
    memory.empty((100,), np.float32)
    assert memory.idle_bytes() == 0
