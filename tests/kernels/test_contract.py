"""Every implementation of every operation keeps the contract, in both dtypes, however its inputs lie in memory.

What is registered is found here by itself; an operation needs its cases in `tinydnn.gradcheck.cases`.
"""

from inspect import signature

import numpy as np
import pytest

import tinydnn.kernels  # noqa: F401 - registers its implementations
from tinydnn import ops
from tinydnn.gradcheck.cases import CASES
from tinydnn.gradcheck.compare import compare

DTYPES = ("float32", "float64")


def channels_last(x: np.ndarray) -> np.ndarray:
    """The same numbers with the second axis innermost in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1) if x.ndim > 1 else x


def backwards(x: np.ndarray) -> np.ndarray:
    """The same numbers, stored from the last to the first: all strides are negative."""
    reverse = (slice(None, None, -1),) * x.ndim
    return x[reverse].copy()[reverse]


def every_other(x: np.ndarray) -> np.ndarray:
    """The same numbers with gaps between them."""
    if x.ndim == 0:
        return x
    wide = np.full(tuple(2 * size for size in x.shape), np.nan, x.dtype)
    sparse = wide[(slice(None, None, 2),) * x.ndim]
    sparse[...] = x
    return sparse


def repeated(x: np.ndarray) -> np.ndarray:
    """The first of the first axis over and over, with a stride of zero."""
    return np.broadcast_to(x[:1], x.shape)


def as_it_is(x: np.ndarray) -> np.ndarray:
    return x


LAYOUTS = (as_it_is, channels_last, backwards, every_other, repeated)

IMPLEMENTATIONS = [pytest.param(case, name, id=f"{case}, {name}") for case in CASES for name in case.implementations()]
everywhere = pytest.mark.parametrize(("case", "implementation"), IMPLEMENTATIONS)


def laid_out(case, layout, dtype):
    return [x if x is None else layout(x.astype(dtype)) for x in case.arrays()]


def as_tuple(gradients):
    return gradients if isinstance(gradients, tuple) else (gradients,)


def upstream(value, seed=1):
    return np.asarray(np.random.default_rng(seed).standard_normal(value.shape), value.dtype)


def test_every_operation_has_cases():
    assert {case.operation for case in CASES} == set(ops.operations())


def test_every_implementation_has_cases():
    covered = {(case.operation, name) for case in CASES for name in case.implementations()}
    registered = {
        (operation.name, one.name)
        for operation in ops.operations().values()
        for one in operation.implementations.values()
        if one.device in ("cpu", "any")
    }
    assert covered == registered


@everywhere
@pytest.mark.parametrize("dtype", DTYPES)
def test_value_and_gradients_are_the_references_and_keep_the_dtype(case, implementation, dtype):
    function, reference = case.function(implementation), case.function("reference")
    for layout in LAYOUTS:
        arrays = [x if x is None else layout(x) for x in case.arrays()]

        def laid(*arrays, layout=layout):
            value, backward = function(*(x if x is None else layout(x) for x in arrays))
            return value, lambda dz: backward(layout(dz) if layout is not repeated else dz)

        compare(
            laid, reference, *arrays, dtype=dtype, name=f"{case}, {layout.__name__}", names=case.names
        ).raise_if_failed()


@everywhere
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_same_inputs_give_the_same_bits_and_are_not_written_to(case, implementation, dtype):
    function = case.function(implementation)
    arrays = laid_out(case, as_it_is, dtype)
    before = [x if x is None else x.copy() for x in arrays]
    for x in arrays:
        if x is not None:
            x.flags.writeable = False
    results = []
    for _ in range(2):
        value, backward = function(*arrays)
        dz = upstream(value)
        dz.flags.writeable = False
        results.append((value, *as_tuple(backward(dz))))
    for once, again in zip(*results, strict=True):
        np.testing.assert_array_equal(once, again, strict=True)
    for x, was in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(x, was)


@everywhere
def test_a_later_call_changes_nothing_that_an_earlier_one_gave(case, implementation):
    function = case.function(implementation)
    arrays = laid_out(case, as_it_is, "float64")
    value, backward = function(*arrays)
    kept = (value, *as_tuple(backward(upstream(value))))
    copies = [one if one is None else one.copy() for one in kept]
    other, other_backward = function(*(x if x is None else x + 1 for x in arrays))
    other_backward(upstream(other, seed=2))
    backward(upstream(value, seed=3))
    for one, was in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(one, was)
    again = as_tuple(backward(upstream(value)))
    for one, was in zip(again, copies[1:], strict=True):
        np.testing.assert_array_equal(one, was)


@everywhere
def test_results_share_no_memory_with_the_inputs_or_each_other(case, implementation):
    arrays = laid_out(case, as_it_is, "float64")
    value, backward = case.function(implementation)(*arrays)
    dz = upstream(value)
    results = [value, *(one for one in as_tuple(backward(dz)) if one is not None)]
    given = [x for x in arrays if x is not None]
    for k, result in enumerate(results):
        for other in (*given, dz, *results[:k]):
            assert not np.shares_memory(result, other)


@everywhere
def test_backward_takes_need_dx_where_the_references_does(case, implementation):
    arrays = laid_out(case, as_it_is, "float64")
    value, backward = case.function(implementation)(*arrays)
    _, reference_backward = case.function("reference")(*arrays)
    assert ("need_dx" in signature(backward).parameters) == ("need_dx" in signature(reference_backward).parameters)
    if "need_dx" in signature(backward).parameters:
        dz = upstream(value)
        dx, *others = backward(dz, need_dx=False)
        assert dx is None
        for found, expected in zip(others, backward(dz)[1:], strict=True):
            np.testing.assert_array_equal(found, expected)


@everywhere
def test_backward_refuses_an_upstream_gradient_of_another_shape(case, implementation):
    value, backward = case.function(implementation)(*laid_out(case, as_it_is, "float64"))
    if value.shape:
        with pytest.raises(ValueError, match=f"{case.operation} backward: expected dz of the value's shape"):
            backward(np.ones((*value.shape, 2)))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ops.avgpool2d(x, window=np.int64(2), stride=np.int64(1)),
        lambda x: ops.maxpool2d(x, window=np.int64(2), stride=np.int64(1)),
        lambda x: ops.conv2d(x, x[:1], None, stride=np.int64(1), padding=np.int64(1)),
        lambda x: ops.dropout(x, x > 0, rate=np.float64(0.5)),
        lambda x: ops.batchnorm2d(x, *(np.ones(3, np.float32),) * 4, batch_statistics=True, eps=np.float64(1e-5)),
        lambda x: ops.softmax_cross_entropy(x[0, 0], np.zeros(4, int), label_smoothing=np.float64(0.1)),
    ],
)
def test_float32_stays_float32_where_an_option_is_a_numpy_number(call):
    value, backward = call(np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32))
    gradients = as_tuple(backward(value))
    assert {one.dtype for one in (value, *gradients) if one is not None} == {np.dtype(np.float32)}
