"""Every CPU implementation of every operation keeps the contract, on every case that it supports.

An operation needs cases in `tinydnn.gradcheck.cases`; registered implementations are found automatically.
"""

from collections import Counter

import numpy as np
import pytest

import tinydnn.kernels  # noqa: F401 - registers its implementations
from tinydnn import ops
from tinydnn.gradcheck.cases import CASES
from tinydnn.gradcheck.implementation import CONTRACT, DTYPES, Candidate
from tinydnn.gradcheck.passes import as_tuple

IMPLEMENTATIONS = [(case, name) for case in CASES for name in case.implementations()]
FIRST_CASES = {(case.operation, name): case for case, name in reversed(IMPLEMENTATIONS)}
FEW_CASES = {"pairs"}  # supports a single shape of pooling window


def test_every_operation_has_at_least_seven_cases():
    cases = Counter(case.operation for case in CASES)
    assert set(cases) == set(ops.operations())
    assert min(cases.values()) >= 7


def test_every_implementation_has_at_least_seven_cases():
    cases = Counter((case.operation, name) for case, name in IMPLEMENTATIONS)
    registered = {(operation.name, name) for operation in ops.operations().values() for name in operation.names()}
    assert set(cases) == registered
    assert all(count >= 7 or name in FEW_CASES for (_, name), count in cases.items())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("case", "name"), [pytest.param(*key, id=f"{key[0]}, {key[1]}") for key in IMPLEMENTATIONS])
def test_an_implementation_keeps_the_contract(case, name, dtype):
    assert name in case.implementations(dtype=dtype)
    candidate = Candidate(case, ops.operations()[case.operation].implementations[name], dtype)
    for clause in CONTRACT:
        clause(candidate)


@pytest.mark.parametrize(("operation", "name"), FIRST_CASES)
def test_backward_refuses_dz_of_another_shape(operation, name):
    case = FIRST_CASES[operation, name]
    value, backward = case.function(name)(*case.arrays())
    if value.shape:
        with pytest.raises(ValueError, match=f"{operation} backward: expected dz of the value's shape"):
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
def test_options_that_are_numpy_scalars_keep_float32(call):
    value, backward = call(np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32))
    gradients = as_tuple(backward(value))
    assert {array.dtype for array in (value, *gradients) if array is not None} == {np.dtype(np.float32)}
