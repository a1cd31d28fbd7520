"""The kernels that Numba compiles, where their tiles, planes and bands are at their edges."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("numba")

from tinydnn import ops
from tinydnn.kernels.numba import conv2d as convolution
from tinydnn.kernels.numba import conv2d_relu_maxpool2d as block

OPERATIONS = {"conv2d": convolution, "conv2d_relu_maxpool2d": block}
both = pytest.mark.parametrize("operation", OPERATIONS)


def draw(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def passes(operation, implementation, x, w, b, **options):
    """Value and gradients, with and without that of x."""
    with ops.use(**{**dict.fromkeys(OPERATIONS, "reference"), "maxpool2d": "reference", operation: implementation}):
        z, backward = ops.operations()[operation](x, w, b, **options)
        dz = draw(*z.shape, seed=9, dtype=z.dtype)
        return (z, *backward(dz), *backward(dz, need_dx=False)[1:])


def compare(operation, x, w, b, **options):
    found, wanted = (passes(operation, name, x, w, b, **options) for name in ("numba", "reference"))
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= 1e-12 * max(1, np.abs(other).max())


@both
@pytest.mark.parametrize("channels", [1, 2, 8, 9, 16, 17, 24])
@pytest.mark.parametrize("out_channels", [1, 7, 8, 16, 17, 24])
def test_channels_that_fill_vectors_and_that_do_not(operation, channels, out_channels):
    compare(
        operation,
        draw(2, channels, 6, 10),
        draw(out_channels, channels, 3, 3, seed=1),
        draw(out_channels, seed=2),
        padding=1,
    )


@both
@pytest.mark.parametrize("size", [(8, 8), (9, 8), (8, 11), (13, 7), (2, 34)])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
def test_every_padding_of_odd_and_even_sizes(operation, size, kernel_size):
    for padding in range(kernel_size):
        if min(size) + 2 * padding - kernel_size + 1 >= 2:
            compare(
                operation, draw(2, 3, *size), draw(4, 3, kernel_size, kernel_size, seed=1), draw(4), padding=padding
            )


@both
@pytest.mark.parametrize("band_bytes", [1, 9_000, 20_000])
def test_bands_meet_without_a_seam(operation, band_bytes, monkeypatch):
    monkeypatch.setattr(OPERATIONS[operation], "BAND_BYTES", band_bytes)
    compare(operation, draw(2, 3, 23, 14), draw(4, 3, 3, 3, seed=1), draw(4, seed=2), padding=1)


@both
@pytest.mark.parametrize("where", [(0, 0), (3, 4), (7, 7)])
def test_a_nan_shows(operation, where):
    x = draw(1, 2, 8, 8)
    x[0, 1][where] = np.nan
    with ops.use(**{operation: "numba"}):
        z, _ = ops.operations()[operation](x, draw(3, 2, 3, 3), None, padding=1)
    i, j = where if operation == "conv2d" else (where[0] // 2, where[1] // 2)
    assert np.isnan(z[0, :, i, j]).all()


@both
def test_the_number_of_threads_decides_no_more_than_the_rounding(operation, monkeypatch):
    from tinydnn.kernels.cpu import threads

    x, w, b = draw(5, 3, 12, 12, dtype=np.float32), draw(4, 3, 3, 3, dtype=np.float32), draw(4, dtype=np.float32)
    results = []
    for count in (1, 2, 3):
        monkeypatch.setattr(threads, "thread_count", lambda count=count: count)
        results.append(passes(operation, "numba", x, w, b, padding=1))
    for others in results[1:]:
        assert np.array_equal(results[0][0], others[0])
        for one, other in zip(results[0], others, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


NARROW = """
import numpy as np
from tinydnn import ops
from tinydnn.kernels.numba.simd.vectors import VECTOR_BYTES
print(VECTOR_BYTES)
shapes = ((2, 5, 10, 9), (6, 5, 3, 3), 6), ((2, 24, 10, 9), (25, 24, 3, 3), 25)
for names in (("numba", "reference"), ("numba-winograd", "reference")):
    for operation in (ops.conv2d, ops.conv2d_relu_maxpool2d):
        results = []
        x, w, b = (np.random.default_rng(0).standard_normal(shape) for shape in shapes["winograd" in names[0]])
        for name in names:
            with ops.use(**{operation.name: name}):
                z, backward = operation(x, w, b, padding=1)
                results.append((z, *backward(np.cos(np.arange(z.size)).reshape(z.shape))))
        for found, wanted in zip(*results, strict=True):
            assert np.abs(found - wanted).max() < 1e-11, operation.name
for window, stride in ((2, 2), (3, 2)):
    results = []
    for name in ("numba", "reference"):
        with ops.use(maxpool2d=name):
            z, backward = ops.maxpool2d(x, window=window, stride=stride)
            results.append((z, backward(np.cos(np.arange(z.size)).reshape(z.shape))))
    assert all(np.abs(found - wanted).max() < 1e-12 for found, wanted in zip(*results, strict=True))
results = []
for name in ("numba", "reference"):
    with ops.use(moments=name, batchnorm2d=name):
        statistics, _ = ops.moments(x)
        z, backward = ops.batchnorm2d(x, *np.ones((2, x.shape[1])), *statistics, batch_statistics=True)
        results.append((statistics, z, *backward(np.cos(np.arange(z.size)).reshape(z.shape))))
assert all(np.abs(found - wanted).max() < 1e-11 for found, wanted in zip(*results, strict=True))
"""


@pytest.mark.parametrize(("features", "vector_bytes"), [("+avx,+avx2,+fma", 32), ("+sse2", 16)])
def test_cpus_with_narrower_vectors_get_the_same_numbers(features, vector_bytes, tmp_path):
    if platform.machine() != "x86_64":
        pytest.skip("the features named here are those of x86-64")
    narrow = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", NARROW], env={**os.environ, **narrow}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == vector_bytes


def test_importing_the_package_does_not_import_numba():
    code = "import sys, tinydnn; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_was_compiled_before_serves_only_the_same_code(monkeypatch):
    from tinydnn.kernels.numba import jit

    kernel = jit.compiled(lambda x: x)
    key = kernel._cache._index_key((), kernel.targetctx.codegen())
    monkeypatch.setattr(jit, "_fingerprint", lambda: "of other code")
    assert kernel._cache._index_key((), kernel.targetctx.codegen()) != key
