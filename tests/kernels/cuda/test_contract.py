"""Every CUDA implementation keeps the contract of its operation and can be captured, emulated and on a GPU."""

from contextlib import nullcontext

import numpy as np
import pytest

import tinydnn.kernels  # noqa: F401 - registers the implementations
from tinydnn import ops
from tinydnn.backend import emulated
from tinydnn.gradcheck.cases import CASES
from tinydnn.gradcheck.implementation import (
    CONTRACT,
    DTYPES,
    Candidate,
    gradients_match_differences,
    matches_the_reference,
)
from tinydnn.gradcheck.layouts import channels_last, contiguous, reversed_axes
from tinydnn.gradcheck.numeric import generator
from tinydnn.gradcheck.passes import as_tuple
from tinydnn.training.gpu_step import WARM_UPS, Replay

CANDIDATES = [
    Candidate(case, implementation, dtype, "cuda")
    for dtype in DTYPES
    for case in CASES
    for implementation in map(ops.operations()[case.operation].implementations.get, case.implementations("cuda", dtype))
    if implementation.device == "cuda" and case.is_stable_in(implementation.precision)
]
everywhere = pytest.mark.parametrize(
    "candidate", CANDIDATES, ids=lambda c: f"{c.case}, {c.implementation.name}, {c.dtype}"
)


def test_every_implementation_has_cases():
    registered = {
        (operation.name, implementation.name)
        for operation in ops.operations().values()
        for implementation in operation.implementations.values()
        if implementation.device == "cuda"
    }
    assert {(candidate.case.operation, candidate.implementation.name) for candidate in CANDIDATES} == registered


@everywhere
def test_a_cuda_implementation_matches_the_reference(candidate, device):
    matches_the_reference(candidate)


@everywhere
def test_a_cuda_implementation_keeps_the_other_clauses_of_the_contract(candidate, cupy):
    for clause in CONTRACT:
        if clause not in (matches_the_reference, gradients_match_differences):
            clause(candidate)


@pytest.mark.gpu
@everywhere
def test_differences_prove_the_gradients(candidate, real_gpu):  # too many calls for the emulator
    gradients_match_differences(candidate)


@everywhere
def test_both_passes_can_be_captured_and_replayed(candidate, cupy):
    inputs = list(candidate.inputs().values())
    arguments = *inputs, *candidate.case.extras(*inputs)
    dz = candidate.forward().upstream(generator(0))
    results = []

    def work():
        value, backward = candidate.implementation.function(*arguments, **candidate.case.options)
        gradients = backward(dz) if value.shape else backward()  # a loss has no upstream gradient
        results[:] = [array for array in (value, *as_tuple(gradients)) if array is not None]

    replay = Replay(work, cupy)
    with cupy.cuda.Stream() as stream:
        for _ in range(WARM_UPS):
            replay([])
        expected = [cupy.asnumpy(array) for array in results]
        if candidate.implementation.name == "im2col cublas":
            with pytest.warns(UserWarning, match="cuBLAS"):
                replay([])
            return
        replay([])  # captures, and launches
        for array in results:
            array[...] = 0
        replay([])
        stream.synchronize()
    assert replay.captured
    for found, array in zip(results, expected, strict=True):
        np.testing.assert_array_equal(cupy.asnumpy(found), array)


@everywhere
def test_the_bits_do_not_depend_on_the_memory_layout(candidate, device):
    results = []
    with emulated("random") if device.name == "emulated" else nullcontext():
        for layout in (contiguous, channels_last, reversed_axes):
            forward = candidate.forward(layout)
            results.append((forward.value, *forward.gradients(forward.upstream(generator(0))).values()))
    # The moments of the batch are not computed by these kernels, and round differently.
    allowed = 1e4 * np.finfo(candidate.dtype).eps if candidate.case.operation == "batchnorm2d" else 0
    for expected, *others in zip(*results, strict=True):
        for found in others if expected is not None else ():
            np.testing.assert_allclose(device.get(found), device.get(expected), rtol=allowed, atol=allowed)


def test_tf32_runs_only_if_allowed_or_requested(device):
    x, w = device.put(np.ones((1, 2, 6, 6), np.float32)), device.put(np.ones((3, 2, 3, 3), np.float32))
    assert ops.conv2d.which(x, w, None) == "3xtf32"
    assert ops.conv2d_relu_maxpool2d.which(x, w, None) == "fused 3xtf32"
    with ops.precision("tf32"):
        assert ops.conv2d.which(x, w, None) == "tf32"
        assert ops.conv2d_relu_maxpool2d.which(x, w, None) == "fused tf32"
        assert ops.conv2d_relu_maxpool2d.which(x[:, :1], w[:, :1], None) == "fused fp32"
    with ops.use(conv2d="tf32"):
        assert ops.conv2d.which(x, w, None) == "tf32"


@pytest.mark.parametrize(
    ("w", "options"), [((3, 2, 5, 5), {}), ((3, 2, 3, 3), {"stride": 2}), ((3, 2, 3, 3), {"padding": 3})]
)
def test_other_kernels_run_where_tiles_do_not_apply(w, options, device):
    x, w = device.put(np.ones((1, 2, 9, 8), np.float32)), device.put(np.ones(w, np.float32))
    assert ops.conv2d.which(x, w, None, **options) == "im2col cublas"
    assert ops.conv2d_relu_maxpool2d.which(x, w, None, **options) == "reference"


def test_the_fused_block_is_right_on_many_tiles_and_channels(device):
    rng = np.random.default_rng(3)
    shapes = ((3, 16, 21, 34), (33, 16, 3, 3), (33,))
    arrays = [device.put(rng.standard_normal(shape).astype(np.float32)) for shape in shapes]
    results = {}
    for name in ("fused 3xtf32", "reference"):
        with ops.use(conv2d_relu_maxpool2d=name):
            z, backward = ops.conv2d_relu_maxpool2d(*arrays, padding=1)
        dz = device.put(np.random.default_rng(4).standard_normal(z.shape).astype(np.float32))
        results[name] = [device.get(array) for array in (z, *backward(dz))]
    for found, expected in zip(*results.values(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-4 * abs(expected).max())


@pytest.mark.parametrize("name", ["fused 3xtf32", "fused tf32", "fused fp32"])
def test_a_nan_stays_visible_after_pooling(name, device):
    channels = 1 if name == "fused fp32" else 3
    x = np.random.default_rng(0).standard_normal((1, channels, 8, 8)).astype(np.float32)
    x[0, channels - 1, 4, 4] = np.nan
    w = device.put(np.ones((3, channels, 3, 3), np.float32))
    with ops.use(conv2d_relu_maxpool2d=name):
        z, _ = ops.conv2d_relu_maxpool2d(device.put(x), w, None, padding=1)
    assert np.isnan(device.get(z)[0, :, 2, 2]).all()


def test_a_label_out_of_range_makes_the_loss_nan(device):
    logits = device.put(np.zeros((4, 3), np.float32))
    loss, _ = ops.softmax_cross_entropy(logits, device.put(np.array([0, 1, 2, 7])))
    assert np.isnan(float(loss))
