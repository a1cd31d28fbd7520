"""Every CUDA implementation keeps the contract of its operation, emulated and on a GPU."""

from inspect import signature

import numpy as np
import pytest

import tinydnn.kernels  # noqa: F401 - registers the implementations
from tinydnn import ops
from tinydnn.backend import array_module
from tinydnn.gradcheck.cases import CASES
from tinydnn.gradcheck.compare import compare

TOLERANCES = {"fp32": None, "tf32": 5e-3}
DTYPES = ("float32", "float64")


def precision(case, name):
    return ops.operations()[case.operation].implementations[name].precision


IMPLEMENTATIONS = [
    pytest.param(case, name, dtype, id=f"{case}, {name}, {dtype}")
    for dtype in DTYPES
    for case in CASES
    for name in case.implementations("cuda", dtype)
    if ops.operations()[case.operation].implementations[name].device == "cuda"
    and case.decides_alike(precision(case, name))
]
everywhere = pytest.mark.parametrize(("case", "name", "dtype"), IMPLEMENTATIONS)


def channels_last(x):
    xp = array_module(x)
    return xp.moveaxis(xp.ascontiguousarray(xp.moveaxis(x, 1, -1)), -1, 1) if x.ndim > 1 else x


def as_it_is(x):
    return x


def backwards(x):
    reverse = (slice(None, None, -1),) * x.ndim
    return x[reverse].copy()[reverse]


def test_every_implementation_has_cases():
    registered = {
        (operation.name, one.name)
        for operation in ops.operations().values()
        for one in operation.implementations.values()
        if one.device == "cuda"
    }
    assert {(case.operation, name) for case, name, _ in (one.values for one in IMPLEMENTATIONS)} == registered


@everywhere
def test_value_and_gradients_are_the_references(case, name, dtype, device):
    function, reference = case.function(name), case.function("reference")
    arrays = [x if x is None else device.put(x) for x in case.arrays()]
    tolerance = TOLERANCES[precision(case, name)]
    compare(
        function, reference, *arrays, dtype=dtype, name=str(case), names=case.names, tolerance=tolerance
    ).raise_if_failed()


@everywhere
def test_the_same_inputs_give_the_same_bits_in_any_memory_layout_and_are_left_alone(case, name, dtype, device):
    function = case.function(name)
    plain = [x if x is None else device.put(x.astype(dtype)) for x in case.arrays()]
    results = []
    for layout in (as_it_is, as_it_is, channels_last, backwards):
        arrays = [x if x is None else layout(device.put(x.astype(dtype))) for x in case.arrays()]
        if layout is as_it_is:
            arrays = plain
        value, backward = function(*arrays)
        dz = device.put(np.asarray(np.random.default_rng(1).standard_normal(value.shape), dtype))
        gradients = backward(dz) if value.shape else backward()
        results.append((value, *(gradients if isinstance(gradients, tuple) else (gradients,))))
    # Moments, and the products of the linear layer, are not of these kernels, and round otherwise in another layout.
    roundings = 1e4 * np.finfo(dtype).eps if case.operation in ("batchnorm2d", "linear") else 0
    for once, *others in zip(*results, strict=True):
        for again, allowed in zip(others, (0, roundings, roundings), strict=True):
            if once is not None:
                assert once.dtype == dtype
                np.testing.assert_allclose(device.get(once), device.get(again), rtol=allowed, atol=allowed)
    for x, was in zip(plain, case.arrays(), strict=True):
        if x is not None:
            np.testing.assert_array_equal(device.get(x), was.astype(dtype))


@everywhere
def test_every_number_is_written_and_need_dx_leaves_out_the_first_gradient_alone(
    case, name, dtype, device, monkeypatch
):
    if device.name == "emulated":
        empty = np.empty

        def poisoned(*args, **kwargs):
            made = empty(*args, **kwargs)
            made.view(np.uint8).fill(0xFF) if made.ndim else made.fill(np.nan)
            return made

        monkeypatch.setattr(np, "empty", poisoned)
    arrays = [x if x is None else device.put(x.astype(dtype)) for x in case.arrays()]
    value, backward = case.function(name)(*arrays)
    gradients = backward(device.put(np.ones(value.shape, dtype))) if value.shape else backward()
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    for one in (value, *gradients):
        assert one is None or np.isfinite(device.get(one)).all()
    if "need_dx" in signature(backward).parameters:
        dx, *others = backward(device.put(np.ones(value.shape, dtype)), need_dx=False)
        assert dx is None
        for found, expected in zip(others, gradients[1:], strict=True):
            if expected is not None:
                np.testing.assert_array_equal(device.get(found), device.get(expected))


def test_tf32_runs_only_where_it_is_allowed_or_asked_for(device):
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
def test_what_the_tiles_do_not_cover_goes_to_another_implementation(w, options, device):
    x, w = device.put(np.ones((1, 2, 9, 8), np.float32)), device.put(np.ones(w, np.float32))
    assert ops.conv2d.which(x, w, None, **options) == "im2col cublas"
    assert ops.conv2d_relu_maxpool2d.which(x, w, None, **options) == "reference"


def test_the_fused_blocks_backward_takes_its_gradient_from_the_bytes(device):
    rng = np.random.default_rng(3)
    shapes = ((3, 16, 21, 34), (33, 16, 3, 3), (33,))
    arrays = [device.put(rng.standard_normal(shape).astype(np.float32)) for shape in shapes]
    found = {}
    for name in ("fused 3xtf32", "reference"):
        with ops.use(conv2d_relu_maxpool2d=name):
            z, backward = ops.conv2d_relu_maxpool2d(*arrays, padding=1)
        dz = device.put(np.random.default_rng(4).standard_normal(z.shape).astype(np.float32))
        found[name] = [device.get(one) for one in (z, *backward(dz))]
    for one, other in zip(*found.values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-4 * abs(other).max())


@pytest.mark.parametrize("name", ["fused 3xtf32", "fused tf32", "fused fp32"])
def test_a_nan_shows_after_pooling(name, device):
    channels = 1 if name == "fused fp32" else 3
    x = np.random.default_rng(0).standard_normal((1, channels, 8, 8)).astype(np.float32)
    x[0, channels - 1, 4, 4] = np.nan
    w = device.put(np.ones((3, channels, 3, 3), np.float32))
    with ops.use(conv2d_relu_maxpool2d=name):
        z, _ = ops.conv2d_relu_maxpool2d(device.put(x), w, None, padding=1)
    assert np.isnan(device.get(z)[0, :, 2, 2]).all()


def test_a_label_that_does_not_exist_makes_the_loss_nan(device):
    logits = device.put(np.zeros((4, 3), np.float32))
    loss, _ = ops.softmax_cross_entropy(logits, device.put(np.array([0, 1, 2, 7])))
    assert np.isnan(float(loss))
