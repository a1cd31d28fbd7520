"""The matrix products of the linear layer: shapes that do not fill the tiles, long sums, and their order."""

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.gradcheck.implementation import TF32_TOLERANCE
from tinydnn.kernels.cuda import linear
from tinydnn.kernels.cuda.source import Source

# N, I and O; tiles are 64 × 64, and their sums are taken 32 at a time.
SHAPES = {
    "one image, three classes": (1, 128, 3),
    "multiples of the tile": (64, 64, 128),
    "one beyond the tile": (65, 33, 65),
    "one short of the tile": (63, 31, 63),
    "a split sum": (3, 1111, 5),
    "a split sum over the batch": (1030, 2, 3),
    "as many inputs as the baseline network": (2, 32768, 9),
}
TOLERANCES = {"3xtf32": 2e-6, "tf32": TF32_TOLERANCE}


def arrays(shape):
    count, inputs, outputs = shape
    rng = np.random.default_rng(1)
    sizes = (count, inputs), (outputs, inputs), (outputs,), (count, outputs)
    return [rng.standard_normal(size).astype(np.float32) for size in sizes]


def passes(name, x, w, b, dz):
    with ops.use(linear=name):
        z, backward = ops.linear(x, w, b)
    return z, *backward(dz)


@pytest.mark.parametrize("name", TOLERANCES)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_all_shapes_give_the_results_of_the_reference_in_float64(name, shape, device):
    inputs = arrays(shape)
    results = passes(name, *map(device.put, inputs))
    references = passes("reference", *(device.put(x.astype(np.float64)) for x in inputs))
    for found, expected in zip(map(device.get, results), map(device.get, references), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCES[name] * abs(expected).max())


@pytest.mark.parametrize("name", TOLERANCES)
def test_the_gradient_of_the_bias_is_a_sum_in_float32(name, device):
    x, w, b, dz = arrays((1030, 2, 3))
    *_, db = passes(name, *map(device.put, (x, w, b, dz)))
    np.testing.assert_allclose(device.get(db), dz.astype(np.float64).sum(axis=0), rtol=0, atol=2e-5)


def test_a_long_sum_is_split_among_blocks(device, monkeypatch):
    launched, launch = [], Source.launch

    def log(source, kernel, grid, *arguments, **options):
        launched.append((kernel.partition("<")[0], grid))
        launch(source, kernel, grid, *arguments, **options)

    monkeypatch.setattr(Source, "launch", log)
    passes("tf32", *map(device.put, arrays((2, 32768, 9))))
    chunks = 32768 // linear.KERNELS.constant("CHUNK")
    (_, (_, _, splits)), (second, _), *backward = launched
    assert splits == chunks // linear.MIN_CHUNKS
    assert second == "sum_splits"
    assert backward == [("multiply", (512, 1, 1)), ("multiply", (512, 1, 1))]  # dw and dx have tiles enough


def test_a_nan_reaches_the_results_that_depend_on_it(device):
    x, w, b, dz = arrays((5, 40, 3))
    x[2, 39] = np.nan
    z, dx, dw, _ = passes("3xtf32", *map(device.put, (x, w, b, dz)))
    assert np.isnan(device.get(z)).all(axis=1).tolist() == [False, False, True, False, False]
    assert np.isnan(device.get(dw)).all(axis=0).tolist() == [False] * 39 + [True]
    assert not np.isnan(device.get(dx)).any()
