"""Random arrays in every memory layout, and comparison with PyTorch."""

import warnings

import numpy as np
import pytest
from hypothesis import settings

# The same examples on every machine, so that a failure can be reproduced.
settings.register_profile("operations", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("operations")


@pytest.fixture(scope="session")
def arrays():
    """A function of seed, memory layout and shapes: random float64 arrays; None for a shape of None."""

    def make(seed, layout, *shapes):
        rng = np.random.default_rng(seed)
        return [None if shape is None else with_layout(rng.standard_normal(shape), layout) for shape in shapes]

    def with_layout(x, layout):
        if layout == "channels last" and x.ndim > 1:
            return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
        if layout == "negative strides":
            return x[(slice(None, None, -1),) * x.ndim]
        return x

    return make


@pytest.fixture(scope="session")
def torch():
    """PyTorch, if it is installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("torch", reason="PyTorch, which the results are compared with, is not installed")
    module.set_num_threads(1)
    return module


@pytest.fixture(scope="session")
def agrees_with_torch(torch):
    """A function: compare value and gradients with a PyTorch function, to 1e-10 in float64 and 1e-4 in float32.

    The tolerances are relative to each element, or to the largest of its array if that is above 1.
    """

    def check(function, torch_function, *arguments):
        for dtype, tolerance in ((np.float64, 1e-10), (np.float32, 1e-4)):
            inputs = [x if x is None else x.astype(dtype) for x in arguments]
            tensors = [x if x is None else torch.tensor(x.copy(), requires_grad=True) for x in inputs]
            value, backward = function(*inputs)
            expected = torch_function(*tensors)
            dz = np.asarray(np.random.default_rng(99).standard_normal(value.shape), dtype)
            expected.backward(torch.tensor(dz))
            gradients = backward(dz)
            results = (value, *(gradients if isinstance(gradients, tuple) else (gradients,)))
            torch_results = (expected.detach(), *(x if x is None else x.grad for x in tensors))
            for ours, theirs in zip(results, torch_results, strict=True):
                if ours is None or theirs is None:
                    assert ours is theirs
                else:
                    atol = tolerance * max(1.0, float(theirs.abs().max()))
                    np.testing.assert_allclose(ours, theirs.numpy(), rtol=tolerance, atol=atol, strict=True)

    return check
