"""The stand-in refuses what CuPy refuses, names it in one line, and replays a captured step as a GPU does."""

import numpy as np
import pytest
from strict_cupy import CaptureError

from tinydnn import SGD
from tinydnn.backend import to_device
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.kernels.cuda import RawKernel
from tinydnn.layers import Flatten, Layer, Linear, Sequential
from tinydnn.training.gpu_feed import make_feed
from tinydnn.training.gpu_step import WARM_UPS, GpuStep

DOUBLE = 'extern "C" __global__ void twice(const float* x, float* z) { z[threadIdx.x] = 2 * x[threadIdx.x]; }'


def allocate_outside(cupy, x):
    with cupy.cuda.using_allocator(cupy.get_default_memory_pool().malloc):
        cupy.empty(3)


# What a layer may do in a step that runs kernel by kernel, but not while it is captured; and what the message names.
ILLEGAL = {
    "a number": (lambda cupy, x: float(x.sum()), r"float\(\), a copy to the host"),
    "a condition": (lambda cupy, x: bool((x > 0).any()), r"bool\(\), a copy to the host"),
    "an item": (lambda cupy, x: x.sum().item(), r"item\(\), a copy to the host"),
    "a copy to the host": (lambda cupy, x: x.get(), "get, a copy to the host"),
    "a copy from the host": (lambda cupy, x: cupy.asarray(np.zeros(3)), "asarray, a copy from the host"),
    "a copy into an array": (lambda cupy, x: cupy.zeros(3).set(np.zeros(3)), "set, a copy from the host"),
    "an index from the host": (lambda cupy, x: x[np.array([0])], "asarray, a copy from the host"),
    "a cuBLAS product": (lambda cupy, x: x @ x.T, "matmul, a cuBLAS product,"),
    "a sum by einsum": (lambda cupy, x: cupy.einsum("ni,ni->n", x, x), "einsum, a cuBLAS product,"),
    "a mask": (lambda cupy, x: x[x > 0], "a boolean mask, a synchronisation,"),
    "a count": (lambda cupy, x: x.nonzero(), "nonzero, a synchronisation,"),
    "a synchronisation": (lambda cupy, x: cupy.cuda.get_current_stream().synchronize(), "a synchronisation"),
    "an allocation": (allocate_outside, "empty: an allocation outside a pool of its own"),
}


class Doing(Layer):
    """The identity, which does something else besides."""

    def __init__(self, action):
        self.action = action

    def __call__(self, x, *, training=False):
        self.action(x)
        return x, lambda dz: dz


@pytest.fixture
def step_doing(strict_cupy):
    """A function that makes a step of a network one of whose layers does something."""

    def make(action):
        images = np.random.default_rng(0).integers(0, 256, (4, 1, 4, 4)).astype(np.uint8)
        dataset = Dataset(images, np.arange(4) % 3, np.array([""] * 4), ("a", "b", "c"))
        model = Sequential(Flatten(), Doing(action), Linear(16, 3, rng=np.random.default_rng(1)))
        model.to("cuda")
        feed = make_feed(dataset, Normalisation.fit(dataset, np.arange(4)), 2, "cuda")
        return GpuStep(model, SGD(model.parameters(), lr=0.1), feed)

    return make


@pytest.mark.parametrize("name", ILLEGAL)
def test_an_illegal_call_in_a_captured_step_is_named_in_one_line(name, strict_cupy, step_doing):
    action, named = ILLEGAL[name]
    step = step_doing(lambda x: action(strict_cupy, x))
    for _ in range(WARM_UPS):  # nothing is refused outside a capture
        step(np.arange(2))
    with pytest.warns(UserWarning, match=rf"runs kernel by kernel: {named} while the stream captures\Z"):
        step(np.arange(2))
    assert not step.captured


def test_a_legal_step_is_captured(step_doing):
    step = step_doing(lambda x: (x * 2).sum())
    for _ in range(WARM_UPS + 1):
        step(np.arange(2))
    assert step.captured


def test_the_null_stream_cannot_capture(strict_cupy):
    with pytest.raises(CaptureError, match="the null stream cannot capture"):
        strict_cupy.cuda.get_current_stream().begin_capture()


def capture(cupy, work):
    with cupy.cuda.using_allocator(cupy.cuda.MemoryPool().malloc), cupy.cuda.Stream() as stream:
        stream.begin_capture()
        returned = work()
        return stream.end_capture(), returned


def test_captured_work_is_done_at_each_launch_on_the_arrays_of_the_capture(strict_cupy):
    x, total, factor = strict_cupy.ones(3, np.float32), strict_cupy.zeros((), np.float32), [2.0]
    twice = RawKernel(DOUBLE, "twice")

    def work():
        z = strict_cupy.empty_like(x)
        twice((1,), (3,), (x, z))
        y = (z * factor[0]).sum()
        total[...] += y
        return y

    graph, y = capture(strict_cupy, work)
    assert np.isnan(float(y))
    assert float(total) == 0
    assert dict(graph.kinds()) == {"twice": 1, "multiply": 1, "sum": 1, "add": 1, "copy": 1}
    graph.launch()
    assert (float(y), float(total)) == (12, 12)
    x[...], factor[0] = 2, 100.0  # the graph reads the array anew, and keeps the number
    graph.launch()
    assert (float(y), float(total)) == (24, 36)


def test_views_share_memory_and_are_no_work(strict_cupy):
    x = strict_cupy.zeros((2, 3))
    graph, view = capture(strict_cupy, lambda: x.T[1:].reshape(-1, 2)[0])
    assert not graph.nodes
    view[...] = 1
    np.testing.assert_array_equal(x.get(), [[0, 1, 0], [0, 1, 0]])


@pytest.mark.parametrize(
    "mix",
    [
        lambda cupy, x, host: x + host,
        lambda cupy, x, host: host * x,
        lambda cupy, x, host: cupy.maximum(x, host),
        lambda cupy, x, host: cupy.stack([x, host]),
        lambda cupy, x, host: x.__setitem__(slice(None), host),
        lambda cupy, x, host: x.__iadd__(host),
        lambda cupy, x, host: RawKernel(DOUBLE, "twice")((1,), (3,), (host, x)),
        lambda cupy, x, host: np.asarray(x),
        lambda cupy, x, host: np.add(host, x, out=host),
    ],
)
def test_nothing_mixes_numpy_arrays_with_those_on_the_gpu(strict_cupy, mix):
    with pytest.raises(TypeError, match=r"found a NumPy array|implicit conversion"):
        mix(strict_cupy, strict_cupy.zeros(3, np.float32), np.zeros(3, np.float32))


def test_numpys_functions_and_numbers_work_on_the_gpu(strict_cupy):
    x = to_device(np.arange(6.0).reshape(2, 3), "cuda")
    assert type(np.exp(x)) is type(np.sum(x)) is type(np.float64(2) * x) is type(x[0, 1]) is type(x)
    assert (float(np.sum(x)), float(x[0, 1]), np.shape(x), len(x)) == (15, 1, (2, 3), 2)
    assert bool(strict_cupy.array_equal(x[::-1], strict_cupy.flip(x, axis=0)))


def test_uninitialised_memory_holds_nan(strict_cupy):
    assert np.isnan(strict_cupy.empty((2, 3), np.float32).get()).all()
