"""Array modules and devices, and shared code that uses only names of both NumPy and CuPy."""

import ast
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import tinydnn
from tinydnn.backend import array_module, check_device, device_of, emulated, to_device
from tinydnn.errors import InputError

PACKAGE = Path(tinydnn.__file__).parent
SHARED_CODE = sorted([*(PACKAGE / "ops").glob("*.py"), *(PACKAGE / "gradcheck").glob("*.py")])


class FakeArray:
    """Stands in for `cupy.ndarray`."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def get(self) -> np.ndarray:
        return self.values


class FakeDriverError(Exception):
    pass


@pytest.fixture
def cupy(monkeypatch):
    """A module `cupy` with one GPU and only the names that the backend calls."""

    class Device:
        compute_capability = "90"

        def __init__(self, index):
            self.index = index

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    module = ModuleType("cupy")
    module.ndarray = FakeArray
    module.asarray = lambda x: x if isinstance(x, FakeArray) else FakeArray(np.asarray(x))
    runtime = SimpleNamespace(getDeviceCount=lambda: 1, CUDARuntimeError=FakeDriverError)
    module.cuda = SimpleNamespace(Device=Device, runtime=runtime)
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


@pytest.fixture
def no_cupy(monkeypatch):
    """As on a machine where CuPy is not installed."""
    monkeypatch.setitem(sys.modules, "cupy", None)


def test_numpy_arrays_and_lists_belong_to_numpy():
    assert array_module(np.zeros(3)) is np
    assert array_module([1, 2]) is np
    assert device_of(np.zeros(3)) == "cpu"


def test_cupy_arrays_belong_to_cupy(cupy):
    assert array_module(FakeArray(np.zeros(3))) is cupy
    assert device_of(FakeArray(np.zeros(3))) == "cuda"
    assert array_module(np.zeros(3)) is np


def test_arrays_move_between_devices(cupy):
    x = np.arange(3.0)
    on_gpu = to_device(x, "cuda:0")
    assert device_of(on_gpu) == "cuda"
    np.testing.assert_array_equal(to_device(on_gpu, "cpu"), x)
    assert to_device(x, "cpu") is x
    assert to_device(on_gpu, "cuda") is on_gpu


def test_a_device_that_does_not_exist_is_refused_by_name(cupy):
    check_device("cpu")
    check_device("cuda")
    with pytest.raises(InputError, match="device cuda:3: expected an index below 1, the number of GPUs"):
        check_device("cuda:3")


def test_a_missing_driver_is_reported(cupy):
    def no_driver():
        raise FakeDriverError("no CUDA-capable device")

    cupy.cuda.runtime.getDeviceCount = no_driver
    with pytest.raises(
        InputError, match=r"device cuda: expected an NVIDIA GPU with its driver, found none .*; use --device cpu"
    ):
        check_device("cuda")


def test_a_gpu_that_is_too_old_is_refused(cupy):
    cupy.cuda.Device.compute_capability = "75"
    with pytest.raises(
        InputError, match=r"device cuda: expected compute capability 8\.0 \(Ampere\) or newer, found 75"
    ):
        check_device("cuda")


def test_numpy_arrays_are_on_the_gpu_while_one_is_emulated(no_cupy):
    x = np.arange(3.0)
    with emulated():
        assert device_of(x) == "cuda"
        assert array_module(x) is np
        assert to_device(x, "cuda:1") is x
        assert to_device(x, "cpu") is x
        check_device("cuda")
    assert device_of(x) == "cpu"


def test_a_cuda_device_without_cupy_reports_the_extra_to_install(no_cupy):
    with pytest.raises(InputError, match=r"device cuda: expected CuPy, found none; install tinydnn\[cuda\]"):
        check_device("cuda")
    with pytest.raises(InputError, match="expected CuPy"):
        to_device(np.zeros(3), "cuda")


@pytest.mark.parametrize("name", ["", "gpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cpu:0"])
def test_an_unknown_device_is_refused(name):
    with pytest.raises(InputError, match='device: expected "cpu", "cuda" or "cuda:N", found'):
        check_device(name)


def test_importing_tinydnn_needs_only_numpy():
    heavy = ("cupy", "numba", "h5py", "scipy", "matplotlib", "PIL", "rich", "pooch", "typer")
    code = f"import sys, tinydnn; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def attributes(path: Path) -> tuple[set[str], set[str]]:
    """The attributes that a file reads of `xp`, and those of anything else."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)]

    def is_xp(node: ast.expr) -> bool:
        called = node.func if isinstance(node, ast.Call) else None
        return getattr(node, "id", "") == "xp" or getattr(called, "id", "") == "array_module"

    return {n.attr for n in nodes if is_xp(n.value)}, {n.attr for n in nodes if not is_xp(n.value)}


def test_the_attributes_of_xp_are_recognised():
    names = set.union(*(attributes(path)[0] for path in SHARED_CODE))
    assert {"einsum", "maximum", "zeros", "broadcast_to", "arange"} <= names
    assert all(hasattr(np, name) for name in names)


def test_code_for_both_array_modules_uses_only_names_that_cupy_has():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy warns if there is no GPU; its names exist anyway
        cupy = pytest.importorskip("cupy", reason="CuPy is not installed, so its names cannot be checked")
    missing = set()
    for path in SHARED_CODE:
        from_module, methods = attributes(path)
        missing |= {(path.name, name) for name in from_module if not hasattr(cupy, name)}
        missing |= {
            (path.name, name) for name in methods if hasattr(np.ndarray, name) and not hasattr(cupy.ndarray, name)
        }
    assert not missing
