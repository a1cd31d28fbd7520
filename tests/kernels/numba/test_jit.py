"""Compilation: lazy, cached as long as the sources are the same, and right for every width of vector."""

import os
import platform
import subprocess
import sys

import pytest

pytest.importorskip("numba")

from numba.core.caching import FunctionCache

from tinydnn.kernels.numba import jit

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
        for actual, expected in zip(*results, strict=True):
            assert np.abs(actual - expected).max() < 1e-11, operation.name
for window, stride in ((2, 2), (3, 2)):
    results = []
    for name in ("numba", "reference"):
        with ops.use(maxpool2d=name):
            z, backward = ops.maxpool2d(x, window=window, stride=stride)
            results.append((z, backward(np.cos(np.arange(z.size)).reshape(z.shape))))
    assert all(np.abs(actual - expected).max() < 1e-12 for actual, expected in zip(*results, strict=True))
results = []
for name in ("numba", "reference"):
    with ops.use(moments=name, batchnorm2d=name):
        statistics, _ = ops.moments(x)
        z, backward = ops.batchnorm2d(x, *np.ones((2, x.shape[1])), *statistics, batch_statistics=True)
        results.append((statistics, z, *backward(np.cos(np.arange(z.size)).reshape(z.shape))))
assert all(np.abs(actual - expected).max() < 1e-11 for actual, expected in zip(*results, strict=True))
"""


@pytest.mark.parametrize(("features", "vector_bytes"), [("+avx,+avx2,+fma", 32), ("+sse2", 16)])
def test_cpus_with_narrower_vectors_get_the_same_values(features, vector_bytes, tmp_path):
    if platform.machine() != "x86_64":
        pytest.skip("these CPU features are those of x86-64")
    narrow = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", NARROW], env={**os.environ, **narrow}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == vector_bytes


def test_importing_the_package_does_not_import_numba():
    code = "import sys, tinydnn; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_cached_compilation_is_valid_for_the_same_sources_only(monkeypatch):
    kernel = jit.compiled(lambda x: x)
    key = kernel._cache._index_key((), kernel.targetctx.codegen())
    monkeypatch.setattr(jit, "_fingerprint", lambda: "of other sources")
    assert kernel._cache._index_key((), kernel.targetctx.codegen()) != key


def test_a_change_in_loops_or_vector_code_changes_the_fingerprint(monkeypatch):
    before = jit._fingerprint()
    for folder in ("loops", "simd"):
        changed = sorted((jit.Path(jit.__file__).parent / folder).glob("*.py"))[-1]
        read = jit.Path.read_bytes
        with monkeypatch.context() as patch:
            patch.setattr(jit.Path, "read_bytes", lambda path, to=changed, read=read: b"" if path == to else read(path))
            assert jit._fingerprint.__wrapped__() != before


def test_a_cache_that_names_unknown_classes_is_discarded(monkeypatch):
    def fail(*_):
        raise AttributeError("Can't get attribute 'Renamed'")

    kernel, flushed = jit.compiled(lambda x: x), []
    monkeypatch.setattr(FunctionCache, "_load_overload", fail)
    monkeypatch.setattr(FunctionCache, "flush", lambda cache: flushed.append(cache))
    assert kernel._cache._load_overload((), None) is None
    assert flushed == [kernel._cache]
