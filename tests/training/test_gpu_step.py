"""Training on a GPU goes as on the CPU, from a dataset that lies there and from one that is streamed there."""

import shutil
from contextlib import nullcontext

import numpy as np
import pytest

from tinydnn import SGD, Adam, ops
from tinydnn.backend import emulated, to_device
from tinydnn.checkpoint import SavedModel, load_checkpoint, save_checkpoint
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.errors import InputError
from tinydnn.layers import BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential
from tinydnn.models import baseline_cnn
from tinydnn.optim import constant
from tinydnn.training.gpu_feed import ResidentFeed, StreamedFeed, make_feed
from tinydnn.training.gpu_step import GpuStep, Replay
from tinydnn.training.trainer import Step, Trainer

SIDE, COUNT, BATCH = 16, 9, 2
TRAIN, TEST = np.arange(6), np.arange(6, COUNT)
OPTIMIZERS = {
    "sgd": lambda parameters: SGD(parameters, lr=0.02, momentum=0.9, weight_decay=1e-3),
    "plain sgd": lambda parameters: SGD(parameters, lr=0.02),
    "nesterov": lambda parameters: SGD(parameters, lr=0.02, momentum=0.9, nesterov=True),
    "adam": lambda parameters: Adam(parameters, lr=0.002, weight_decay=1e-3),
}


@pytest.fixture(params=["emulated", pytest.param("real", marks=pytest.mark.gpu)])
def gpu(request):
    """What makes "cuda" there: an emulated GPU, whose threads take turns in one order, then a real one."""
    if request.param == "real":
        request.getfixturevalue("real_gpu")
        return nullcontext
    if shutil.which("g++") is None:
        pytest.skip("the emulated GPU needs g++, which is not installed")
    return lambda: emulated("forward")


def at_home(x):
    return to_device(x, "cpu")


def dataset():
    rng = np.random.default_rng(0)
    labels = np.arange(COUNT) % 3
    images = rng.integers(0, 256, (COUNT, 1, SIDE, SIDE)).astype(np.uint8)
    return Dataset(images, labels, np.array([""] * COUNT), ("a", "b", "c"))


def small_network():
    """Every kind of layer that has a kernel of its own, and no more."""
    rng = np.random.default_rng(1)
    first = [Conv2d(1, 4, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2), Conv2d(4, 6, 3, padding=1, rng=rng)]
    second = [ReLU(), MaxPool2d(2), Conv2d(6, 5, 3, padding=1, bias=False, rng=rng), BatchNorm2d(5), MaxPool2d(2)]
    head = [Flatten(), Linear(20, 8, rng=rng), ReLU(), Dropout(0.5, rng=rng.spawn(1)[0]), Linear(8, 3, rng=rng)]
    return Sequential(*first, *second, *head, input_shape=(1, SIDE, SIDE))


def trainer(device, *, network=None, optimizer="sgd", precision="fp32", epochs=2, **options):
    data, network = dataset(), network or small_network()
    network.to(device)
    return Trainer(
        network, OPTIMIZERS[optimizer](network.parameters()), constant(0.02 if "sgd" in optimizer else 0.002), data,
        Normalisation.fit(data, TRAIN), train=TRAIN, watch=TEST, batch_size=BATCH, epochs=epochs, seed=5, device=device,
        precision=precision, **options,
    )  # fmt: skip


def losses(one):
    return [record.loss for record in one.run()]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_losses_and_weights_are_those_of_the_cpu(optimizer, gpu):
    on_cpu = trainer("cpu", optimizer=optimizer)
    expected = losses(on_cpu)
    with gpu():
        on_gpu = trainer("cuda", optimizer=optimizer)
        found = losses(on_gpu)
        assert on_gpu.gpu_step is not None
    assert found == pytest.approx(expected, rel=1e-3)
    for name, array in on_cpu.model.state().items():
        np.testing.assert_allclose(at_home(on_gpu.model.state()[name]), array, rtol=1e-2, atol=2e-4, err_msg=name)
    for slot, arrays in on_cpu.optimizer.state.items():
        for name, array in arrays.items():
            found = at_home(on_gpu.optimizer.state[slot][name])
            np.testing.assert_allclose(found, array, rtol=1e-2, atol=2e-4, err_msg=f"{slot} {name}")
    assert on_gpu.model.random_state() == on_cpu.model.random_state()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_thaws_late_moves_as_on_the_cpu(optimizer, gpu):
    def moved(device):
        rng, first = np.random.default_rng(2), Linear(4, 3, rng=np.random.default_rng(3))
        first.to(device)
        chosen = OPTIMIZERS[optimizer](first.parameters())
        for step in range(6):
            first.weight.lr_scale = float(step not in (1, 2, 3))
            for one in first.parameters().values():
                one.grad = to_device(rng.standard_normal(one.value.shape).astype(np.float32), device)
            chosen.step()
        return {name: at_home(one.value) for name, one in first.parameters().items()}

    expected = moved("cpu")
    with gpu():
        for name, found in moved("cuda").items():
            np.testing.assert_allclose(found, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_step_that_is_not_the_captured_one_runs_as_on_the_cpu(gpu):
    expected = next(trainer("cpu", balance=True).run()).loss
    with gpu():
        balanced = trainer("cuda", balance=True)
        assert balanced.gpu_step is None
        assert next(balanced.run()).loss == pytest.approx(expected, rel=1e-4)


def test_the_papers_network_trains_as_on_the_cpu(gpu):
    expected = losses(trainer("cpu", network=baseline_cnn(image_size=SIDE, seed=1), epochs=1))
    with gpu():
        found = losses(trainer("cuda", network=baseline_cnn(image_size=SIDE, seed=1), epochs=1))
    assert found == pytest.approx(expected, rel=1e-3)


def test_a_checkpoint_of_the_gpu_goes_on_bit_for_bit(gpu, tmp_path):
    with gpu():
        whole = trainer("cuda")
        expected = losses(whole)
        stopped = trainer("cuda")
        records = stopped.run()
        for _ in range(4):  # into the second epoch
            next(records)
        save_checkpoint(tmp_path / "half.h5", stopped, SavedModel(stopped.model, stopped.normalise, ("a", "b", "c")))
        resumed = trainer("cuda")
        load_checkpoint(tmp_path / "half.h5", resumed)
        assert [record.loss for record in resumed.records] + losses(resumed) == expected


def test_the_same_seed_gives_the_same_bits(gpu):
    with gpu():
        assert losses(trainer("cuda", epochs=1)) == losses(trainer("cuda", epochs=1))


def test_tf32_runs_where_it_is_asked_for_and_stays_near(gpu):
    with gpu():
        with ops.trace() as calls:
            found = losses(trainer("cuda", precision="tf32", epochs=1))
        assert {"fused fp32", "fused tf32", "tf32", "cuda"} <= {call.implementation for call in calls}
        assert found == pytest.approx(losses(trainer("cuda", epochs=1)), rel=2e-2)


def test_a_resident_and_a_streamed_dataset_give_the_same_batches(gpu):
    with gpu():
        data = dataset()
        normalise = Normalisation.fit(data, TRAIN)
        fits = make_feed(data, normalise, BATCH, "cuda", free=4 * COUNT * SIDE**2)
        streams = make_feed(data, normalise, BATCH, "cuda", free=COUNT * SIDE**2)
        assert (type(fits), type(streams)) == (ResidentFeed, StreamedFeed)
        batches = [np.array([3, 8]), np.array([0, 2]), np.array([5, 5])]
        for k, indices in enumerate(batches):
            for feed in (fits, streams):
                feed.put(indices)
                x, y = feed.batch()
                np.testing.assert_array_equal(at_home(x), normalise(data.read(indices)))
                np.testing.assert_array_equal(at_home(y), data.labels[indices])
                if k == 0:
                    feed.prefetch(batches[1])  # the third comes unannounced
                x, y = feed.load(TEST)
                np.testing.assert_array_equal(at_home(x), normalise(data.read(TEST)))
                np.testing.assert_array_equal(at_home(y), data.labels[TEST])


def test_a_step_works_on_the_same_arrays_every_time(gpu):
    with gpu():
        one = trainer("cuda", epochs=2)
        places = []
        for record in one.run():
            if isinstance(record, Step):
                places.append([id(array) for array in one.gpu_step._places()])
        assert len(places) == 6
        assert all(found == places[1] for found in places[2:])  # the first step lays the parameters side by side
        norm = next(layer for layer in one.model.layers if isinstance(layer, BatchNorm2d))
        assert not np.array_equal(at_home(norm.running_mean.value), np.zeros(5))


class FakeGpu:
    """What `Replay` asks of CuPy, noting the order."""

    def __init__(self):
        self.did = []
        self.cuda = self

    def MemoryPool(self):  # noqa: N802
        return self

    def malloc(self, size):
        raise AssertionError

    def using_allocator(self, allocator):
        self.did.append("allocator")
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.did.append("allocator off")

    def get_current_stream(self):
        return self

    def begin_capture(self):
        self.did.append("begin")

    def end_capture(self):
        self.did.append("end")
        return self

    def launch(self, stream):
        self.did.append("launch")


def test_work_is_captured_after_two_runs_and_then_replayed_until_something_moves():
    gpu = FakeGpu()
    replay = Replay(lambda: gpu.did.append("work"), gpu)
    here, there = [np.zeros(1)], [np.zeros(1)]
    run = ["allocator", "work", "allocator off"]
    capture = ["allocator", "begin", "work", "end", "allocator off", "launch"]
    for places, expected in ((here, run), (here, run), (here, capture), (here, ["launch"]), (there, run)):
        gpu.did.clear()
        replay(places)
        assert gpu.did == expected


def test_work_that_cannot_be_captured_is_done_as_it_is_and_said_once():
    gpu = FakeGpu()

    def work():
        gpu.did.append("work")
        if gpu.did[-2:] == ["begin", "work"]:
            raise RuntimeError("not while capturing")

    replay = Replay(work, gpu)
    here = [np.zeros(1)]
    for _ in range(2):
        replay(here)
    gpu.did.clear()
    with pytest.warns(UserWarning, match="could not be captured as a CUDA graph .* not while capturing"):
        replay(here)
    assert gpu.did == ["allocator", "begin", "work", "end", "work", "allocator off"]
    gpu.did.clear()
    replay(here)
    assert gpu.did == ["allocator", "work", "allocator off"]


@pytest.mark.gpu
def test_a_captured_step_gives_the_bits_of_one_launched_kernel_by_kernel(real_gpu):
    found = []
    for graph in (True, False):
        one = trainer("cuda", network=baseline_cnn(image_size=SIDE, seed=1), epochs=5)
        one.gpu_step = GpuStep(one.model, one.optimizer, one.gpu_step.feed, graph=graph)
        found.append(losses(one))
    assert found[0] == found[1]


@pytest.mark.gpu
def test_the_papers_network_agrees_with_the_cpu_for_ten_steps(real_gpu):
    rng = np.random.default_rng(0)
    data = Dataset(
        rng.integers(0, 256, (48, 1, 64, 64)).astype(np.uint8), np.arange(48) % 3, np.array([""] * 48), ("a", "b", "c")
    )
    found = {}
    for device, precision in (("cpu", "fp32"), ("cuda", "fp32"), ("cuda", "tf32")):
        network = baseline_cnn(image_size=64, seed=1)
        network.to(device)
        optimizer = SGD(network.parameters(), lr=0.005, momentum=0.9)
        one = Trainer(
            network, optimizer, constant(0.005), data, Normalisation.fit(data, np.arange(40)), train=np.arange(40),
            watch=np.arange(40, 48), batch_size=8, epochs=2, seed=5, device=device, precision=precision,
        )  # fmt: skip
        found[device, precision] = [record.loss for record in one.run() if isinstance(record, Step)]
    assert len(found["cpu", "fp32"]) == 10
    assert found["cuda", "fp32"] == pytest.approx(found["cpu", "fp32"], rel=1e-3)
    assert found["cuda", "tf32"] == pytest.approx(found["cpu", "fp32"], rel=3e-2)


def test_too_little_memory_on_the_gpu_is_said_in_one_line(gpu, monkeypatch):
    with gpu():

        class OutOfMemoryError(Exception):
            pass

        def fail(*args, **kwargs):
            raise OutOfMemoryError("out of memory allocating 10 bytes")

        one = trainer("cuda")
        monkeypatch.setattr(GpuStep, "launch", fail)
        with pytest.raises(InputError, match=r"device cuda: not enough memory on the GPU .* a smaller --batch-size"):
            losses(one)


def test_a_loss_that_is_not_finite_stops_the_training(gpu):
    with gpu():
        one = trainer("cuda")
        next(iter(one.model.parameters().values())).value[...] = np.nan
        with pytest.raises(InputError, match="training diverged: the loss of iteration 1 is nan"):
            losses(one)
