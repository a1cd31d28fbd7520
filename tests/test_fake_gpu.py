"""The code that needs CuPy, with a strict stand-in for it, so that no line runs for the first time on a real GPU."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage, special

from tinydnn import SGD, ops
from tinydnn.backend import array_module, device_of, to_device, use_device
from tinydnn.bench.checking import check
from tinydnn.bench.comparison import compare
from tinydnn.bench.gpu import gpu, gpu_peaks
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.explain import METHODS, methods_for
from tinydnn.explain.baselines import BASELINES
from tinydnn.gradcheck.cases import CASES
from tinydnn.layers import Conv2d, Dropout, Flatten, Linear, MaxPool2d, RegionVote, ReLU, Sequential
from tinydnn.models import attention_cnn, baseline_cnn, vit_tiny
from tinydnn.training.gpu_feed import StreamedFeed, make_feed
from tinydnn.training.gpu_step import GpuStep


@pytest.fixture
def cupy(strict_cupy):
    return strict_cupy


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
    assert isinstance(attributions, cupy.ndarray)
    np.testing.assert_allclose(attributions.get(), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_the_peak_is_that_of_random_numbers(cupy, monkeypatch):
    multiplied, matmul = [], cupy.matmul

    def spy(a, b, out):
        multiplied.extend(array.get() for array in (a, b))
        return matmul(a, b, out=out)

    monkeypatch.setattr(cupy, "matmul", spy)
    gpu_peaks(side=64, copied=1 << 16)
    assert all(len(np.unique(matrix)) > matrix.size // 2 for matrix in multiplied)
    assert not np.array_equal(multiplied[0], multiplied[1])


@pytest.mark.parametrize(
    ("make", "name"), [(attention_cnn, "attention"), (vit_tiny, "attention"), (vit_tiny, "saliency")]
)
def test_a_network_that_attends_is_explained_through_cupy_as_on_the_cpu(make, name, cupy, monkeypatch):
    calls = []

    def erf(x):
        calls.append("erf")
        return cupy.asarray(special.erf(x.get()))

    monkeypatch.setitem(sys.modules, "cupyx.scipy", SimpleNamespace(special=SimpleNamespace(erf=erf)))
    model = make(image_size=32)
    x, classes = np.random.default_rng(2).standard_normal((2, 1, 32, 32)).astype(np.float32), np.array([2, 0])
    expected = METHODS[name].attribute(model, x, classes)
    model.to("cuda")
    attributions = METHODS[name].attribute(model, to_device(x, "cuda"), to_device(classes, "cuda"))
    assert isinstance(attributions, cupy.ndarray)
    assert bool(calls) == (make is vit_tiny)
    np.testing.assert_allclose(attributions.get(), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_through_cupy_equals_that_on_the_cpu(name, cupy, monkeypatch):
    def correlate1d(images, weights, **options):
        assert isinstance(weights, cupy.ndarray)  # CuPy's has no other
        return cupy.asarray(ndimage.correlate1d(images.get(), weights.get(), **options))

    monkeypatch.setitem(sys.modules, "cupyx.scipy.ndimage", SimpleNamespace(correlate1d=correlate1d))
    model, classes = region_network(), np.array([2, 0])
    x = np.random.default_rng(2).standard_normal((2, 1, 8, 6)).astype(np.float32)
    maps = BASELINES[name].attribute(model, to_device(x, "cuda"), to_device(classes, "cuda"))
    assert isinstance(maps, cupy.ndarray)
    np.testing.assert_allclose(maps.get(), BASELINES[name].attribute(model, x, classes), rtol=1e-6)


def test_kernels_are_checked_and_timed(cupy, monkeypatch):
    monkeypatch.setattr("tinydnn.bench.timing.ROUNDS", 3)
    outcome = check("maxpool2d", "cuda", "cuda")
    assert outcome.passed, outcome.findings
    assert outcome.cases == sum(case.operation == "maxpool2d" for case in CASES)
    comparison = compare(
        "maxpool2d", ["cuda", "reference"], "reference", gpu_peaks(side=64, copied=1 << 16), shapes=((2, 3, 8, 8),),
        device="cuda", seconds=0.1,
    )  # fmt: skip
    launches = {(line.name, line.direction): line.launches for line in comparison.lines}
    assert launches["cuda", "forward"] == 2  # the images become channels-last first
    assert launches["cuda", "backward"] == 1
    assert launches["reference", "forward"] is None  # it assigns through a mask, which cannot be captured
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
