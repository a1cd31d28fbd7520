"""The code that needs CuPy, with a stand-in for it: NumPy arrays, emulated kernels, and streams without effect.

So no line of the GPU code runs for the first time on a real GPU.
"""

import sys
from pathlib import Path
from time import perf_counter
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tinydnn import SGD, ops
from tinydnn.backend import array_module, device_of, to_device, use_device
from tinydnn.bench.checking import check
from tinydnn.bench.comparison import compare
from tinydnn.bench.gpu import gpu, gpu_peaks
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.explain import METHODS, methods_for
from tinydnn.gradcheck.cases import CASES
from tinydnn.kernels.cuda import source
from tinydnn.kernels.cuda.emulator import Module
from tinydnn.layers import Conv2d, Dropout, Flatten, Linear, MaxPool2d, RegionVote, ReLU, Sequential
from tinydnn.models import baseline_cnn
from tinydnn.training.gpu_feed import StreamedFeed, make_feed
from tinydnn.training.gpu_step import GpuStep


class FakeArray(np.ndarray):
    """A NumPy array with the methods that copy an array from and to a GPU, which refuses NumPy arrays as CuPy does."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        mixed = [x for x in (*inputs, *out) if type(x) is np.ndarray and x.ndim]
        assert not mixed, f"{ufunc.__name__}: implicit conversion of a NumPy array of shape {mixed[0].shape}"
        plain = [x.view(np.ndarray) if isinstance(x, FakeArray) else x for x in inputs]
        if out:
            options["out"] = tuple(x.view(np.ndarray) for x in out)
        result = getattr(ufunc, method)(*plain, **options)
        if out:
            return out[0]
        return result.view(FakeArray) if isinstance(result, np.ndarray) else result

    def get(self):
        return np.array(self)

    def set(self, values, stream=None):
        assert self.flags.c_contiguous
        assert values.flags.c_contiguous
        assert values.shape == self.shape
        assert values.dtype == self.dtype
        self[...] = values


class Context:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


class Stream(Context):
    def __init__(self, non_blocking=False):
        self.capturing = False

    def wait_event(self, event):
        assert isinstance(event, Event)

    def synchronize(self):
        pass

    def begin_capture(self):
        self.capturing = True

    def end_capture(self):
        assert self.capturing
        self.capturing = False
        nodes = [f'"graph_1_node_{k}"[label="{k}"];' for k in (0, 1)]
        dot = "\n".join(["digraph {", *nodes, '"graph_1_node_0" -> "graph_1_node_1";', "}"])
        return SimpleNamespace(launch=lambda stream: None, debug_dot_str=lambda: dot)


class Event:
    def __init__(self, disable_timing=False):
        self.seconds = 0.0

    def record(self, stream=None):
        self.seconds = perf_counter()

    def synchronize(self):
        pass


class Device(Context):
    compute_capability = "90"

    def __init__(self, number=0):
        self.id = number

    def use(self):
        pass


class FakeModule(Module):
    """CuPy's RawModule has fewer arguments."""

    def __init__(self, *, code, options, name_expressions):
        assert options == ("--std=c++17",)
        super().__init__(code=code, name_expressions=name_expressions, orders=("forward",))


class FakeCupy(ModuleType):
    ndarray = FakeArray
    RawModule = FakeModule

    def __getattr__(self, name):
        attribute = getattr(np, name)
        if not callable(attribute) or isinstance(attribute, type):
            return attribute

        def function(*args, **kwargs):
            result = attribute(*args, **kwargs)
            return result.view(FakeArray) if type(result) is np.ndarray else result

        return function

    asarray = staticmethod(lambda x, *args: np.array(x, *args).view(FakeArray) if type(x) is np.ndarray else x)


@pytest.fixture
def cupy(monkeypatch):
    module, stream = FakeCupy("cupy"), Stream()
    properties = {"name": b"Fake GPU", "multiProcessorCount": 4, "totalGlobalMem": 1 << 30, "l2CacheSize": 1 << 12}
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 1, CUDARuntimeError=OSError, getDeviceProperties=lambda number: properties,
        driverGetVersion=lambda: 13000, runtimeGetVersion=lambda: 13000, memGetInfo=lambda: (1 << 20, 1 << 30),
    )  # fmt: skip
    module.cuda = SimpleNamespace(
        runtime=runtime, Device=Device, Stream=Stream, Event=Event, get_current_stream=lambda: stream,
        get_elapsed_time=lambda begin, end: 1e3 * (end.seconds - begin.seconds), alloc_pinned_memory=bytearray,
        MemoryPool=lambda: SimpleNamespace(malloc=None, total_bytes=lambda: 1 << 20),
        using_allocator=lambda allocator: Context(),
    )  # fmt: skip
    module.get_default_memory_pool = module.cuda.MemoryPool
    monkeypatch.setitem(sys.modules, "cupy", module)
    products = SimpleNamespace(get_compute_type=lambda t: 0, set_compute_type=lambda t, c: None, COMPUTE_TYPE_TF32=3)
    monkeypatch.setitem(sys.modules, "cupy._core", SimpleNamespace(_routines_linalg=products))
    source._compiled.cache_clear()
    yield module
    source._compiled.cache_clear()


def network():
    rng = np.random.default_rng(1)
    return Sequential(
        Conv2d(1, 4, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2), Flatten(),
        Linear(64, 3, rng=rng), Dropout(0.2, rng=rng.spawn(1)[0]),
    )  # fmt: skip


def region_network():
    rng = np.random.default_rng(1)
    first, second = Conv2d(1, 4, 3, padding=1, rng=rng), Conv2d(4, 4, 1, rng=rng)
    return Sequential(first, ReLU(), MaxPool2d(2), second, RegionVote(), input_shape=(1, 8, 8))


def dataset(count=12):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 1, 8, 8)).astype(np.uint8)
    return Dataset(images, np.arange(count) % 3, np.array([""] * count), ("a", "b", "c"))


@pytest.mark.parametrize("free", [1 << 30, 100])
@pytest.mark.parametrize("precision", ["fp32", "tf32"])
def test_steps_through_cupy_equal_those_on_the_cpu(cupy, free, precision):
    data = dataset()
    normalise = Normalisation.fit(data, np.arange(12))
    batches = [np.arange(4), np.arange(4, 8), np.arange(8, 12), np.arange(2, 6)]
    model = network()
    use_device("cuda")
    model.to("cuda")
    assert {device_of(array) for array in model.state().values()} == {"cuda"}
    feed = make_feed(data, normalise, 4, "cuda", free=free)
    assert isinstance(feed, StreamedFeed) == (free == 100)
    step = GpuStep(model, SGD(model.parameters(), lr=0.01, momentum=0.9), feed, precision=precision, graph=False)
    pairs = zip(batches, [*batches[1:], None], strict=True)
    losses = [step(indices, upcoming=upcoming).image_loss for indices, upcoming in pairs]

    on_cpu = network()
    optimizer, expected = SGD(on_cpu.parameters(), lr=0.01, momentum=0.9), []
    for indices in batches:
        logits, backward = on_cpu(normalise(data.read(indices)), training=True)
        loss, loss_backward = ops.softmax_cross_entropy(logits, data.labels[indices])
        backward(loss_backward(), need_dx=False)
        optimizer.step()
        expected.append(float(loss))
    assert losses == pytest.approx(expected, rel=1e-3)
    for name, array in on_cpu.state().items():
        np.testing.assert_allclose(to_device(model.state()[name], "cpu"), array, rtol=1e-3, atol=1e-5)


def test_a_step_with_a_graph_runs_twice_before_it_is_captured(cupy):
    data = dataset()
    model = network()
    model.to("cuda")
    feed = make_feed(data, Normalisation.fit(data, np.arange(12)), 4, "cuda")
    step = GpuStep(model, SGD(model.parameters(), lr=0.01, momentum=0.9), feed)
    for _ in range(3):  # the first step allocates the dropout mask; two more warm up
        step(np.arange(4))
        assert not step.captured
    step(np.arange(4))
    assert step.captured


def test_the_gpu_is_described_and_its_peaks_are_measured(cupy):
    assert gpu().name == "Fake GPU"
    assert gpu().cuda == "13.0"
    for precision in ("fp32", "tf32"):
        peaks = gpu_peaks(precision=precision, side=64, copied=1 << 16)
        assert peaks.gflops > 0
        assert peaks.gbytes > 0


@pytest.mark.parametrize("name", [method.name for method in methods_for(region_network())])
def test_an_explanation_through_cupy_equals_that_on_the_cpu(name, cupy):
    model = region_network()
    few = {"smooth-grad": {"samples": 2}, "integrated-gradients": {"steps": 2}, "rise": {"masks": 3},
           "occlusion": {"patch": 4}}  # fmt: skip
    options = few.get(name, {})
    x, classes = np.random.default_rng(2).standard_normal((2, 1, 8, 8)).astype(np.float32), np.array([2, 0])
    expected = METHODS[name].attribute(model, x, classes, **options)
    model.to("cuda")
    attributions = METHODS[name].attribute(model, to_device(x, "cuda"), to_device(classes, "cuda"), **options)
    assert isinstance(attributions, FakeArray)
    np.testing.assert_allclose(attributions.get(), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_kernels_are_checked_and_timed(cupy, monkeypatch):
    monkeypatch.setattr("tinydnn.bench.timing.ROUNDS", 3)
    outcome = check("maxpool2d", "cuda", "cuda")
    assert outcome.passed, outcome.findings
    assert outcome.cases == sum(case.operation == "maxpool2d" for case in CASES)
    comparison = compare(
        "maxpool2d", ["cuda", "reference"], "reference", gpu_peaks(side=64, copied=1 << 16), shapes=((2, 3, 8, 8),),
        device="cuda", seconds=0.1,
    )  # fmt: skip
    assert {(line.name, line.direction, line.launches) for line in comparison.lines} == {
        (name, direction, 2) for name in ("cuda", "reference") for direction in ("forward", "backward")
    }
    assert all(line.cpu > 0 and line.sample.median > 0 for line in comparison.lines)


def test_a_gpu_kernel_that_writes_to_its_inputs_is_reported(cupy):
    @ops.relu.implementation("writes on a gpu", device="cuda")
    def relu(x):
        x *= 2
        return array_module(x).maximum(x, 0), lambda dz: dz

    try:
        findings = check("relu", "writes on a gpu", "cuda").findings
        assert "writes to its inputs" in {finding.kind for finding in findings}
    finally:
        ops.relu.unregister("writes on a gpu")


def test_the_benchmarks_contestant_reports_its_memory(cupy, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    from contestants_cuda import tinydnn_run

    model = baseline_cnn(image_size=16)
    model = Sequential(*(layer for layer in model.layers if not isinstance(layer, Dropout)))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 1, 16, 16)).astype(np.uint8)
    start = {"pixels": pixels, "y": np.arange(2), "shift": 100.0, "scale": 50.0, **model.state()}
    run, memory = tinydnn_run("tinydnn tf32", 3, 16, start)
    losses, seconds = run(2)
    assert len(losses) == len(seconds) == 2
    assert np.isfinite(losses).all()
    assert memory() > 0
