"""Training on a GPU agrees with the CPU, and a step is captured and replayed; resident and streamed datasets."""

from collections import Counter

import numpy as np
import pytest

from tinydnn import SGD, Adam, ops
from tinydnn.backend import to_device
from tinydnn.checkpoint import SavedModel, load_checkpoint, save_checkpoint
from tinydnn.data.normalise import Normalisation
from tinydnn.errors import InputError
from tinydnn.layers import (
    GELU,
    AttentionPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    LayerNorm,
    Linear,
    MaxPool2d,
    PositionalEmbedding,
    ReLU,
    Residual,
    SelfAttention,
    Sequential,
    SpatialAttention,
    SqueezeExcitation,
    TokenMean,
    Tokens,
)
from tinydnn.models import baseline_cnn
from tinydnn.optim import constant
from tinydnn.training.gpu_feed import ResidentFeed, StreamedFeed, make_feed
from tinydnn.training.gpu_step import GpuStep, Replay
from tinydnn.training.protocol import Step

SIDE, COUNT, BATCH = 16, 9, 2
TRAIN, TEST = np.arange(6), np.arange(6, COUNT)
OPTIMIZERS = {
    "sgd": lambda parameters: SGD(parameters, lr=0.02, momentum=0.9, weight_decay=1e-3),
    "plain sgd": lambda parameters: SGD(parameters, lr=0.02),
    "nesterov": lambda parameters: SGD(parameters, lr=0.02, momentum=0.9, nesterov=True),
    "adam": lambda parameters: Adam(parameters, lr=0.002, weight_decay=1e-3),
}


@pytest.fixture(params=["strict_cupy", pytest.param("real_gpu", marks=pytest.mark.gpu)])
def gpu(request):
    """Steps run on an emulated GPU, through the strict stand-in for CuPy, then on a real one."""
    request.getfixturevalue(request.param)


def on_cpu(x):
    return to_device(x, "cpu")


@pytest.fixture
def dataset(random_dataset):
    """A few slices of noise."""
    return random_dataset(COUNT, SIDE)


def small_network():
    """One layer of every kind that has a kernel on the GPU."""
    rng = np.random.default_rng(1)
    first = [Conv2d(1, 4, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2), Conv2d(4, 6, 3, padding=1, rng=rng)]
    second = [ReLU(), MaxPool2d(2), Conv2d(6, 5, 3, padding=1, bias=False, rng=rng), BatchNorm2d(5), MaxPool2d(2)]
    head = [Flatten(), Linear(20, 8, rng=rng), ReLU(), Dropout(0.5, rng=rng.spawn(1)[0]), Linear(8, 3, rng=rng)]
    return Sequential(*first, *second, *head, input_shape=(1, SIDE, SIDE))


@pytest.fixture
def trainer(dataset, simple_trainer):
    """A function that makes a trainer of a network on a device; two of the same arguments train alike."""

    def make(device, *, network=None, optimizer="sgd", epochs=2, **options):
        network = network or small_network()
        network.to(device)
        schedule = constant(0.02 if "sgd" in optimizer else 0.002)
        return simple_trainer(
            network, OPTIMIZERS[optimizer](network.parameters()), schedule, dataset, TRAIN, TEST, BATCH, epochs,
            device=device, **options,
        )  # fmt: skip

    return make


def losses(trainer):
    return [record.loss for record in trainer.run()]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_losses_and_weights_agree_with_the_cpu(trainer, optimizer, gpu):
    cpu_trainer = trainer("cpu", optimizer=optimizer)
    expected = losses(cpu_trainer)
    gpu_trainer = trainer("cuda", optimizer=optimizer)
    gpu_losses = losses(gpu_trainer)
    assert gpu_trainer.gpu_step.captured
    assert gpu_losses == pytest.approx(expected, rel=1e-3)
    for name, array in cpu_trainer.model.state().items():
        value = on_cpu(gpu_trainer.model.state()[name])
        np.testing.assert_allclose(value, array, rtol=1e-2, atol=2e-4, err_msg=name)
    for average, arrays in cpu_trainer.optimizer.state.items():
        for name, array in arrays.items():
            value = on_cpu(gpu_trainer.optimizer.state[average][name])
            np.testing.assert_allclose(value, array, rtol=1e-2, atol=2e-4, err_msg=f"{average} {name}")
    assert gpu_trainer.model.random_state() == cpu_trainer.model.random_state()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_parameter_that_thaws_late_moves_as_on_the_cpu(optimizer, gpu):
    def moved(device):
        rng, layer = np.random.default_rng(2), Linear(4, 3, rng=np.random.default_rng(3))
        layer.to(device)
        steps = OPTIMIZERS[optimizer](layer.parameters())
        for k in range(6):
            layer.weight.lr_scale = float(k not in (1, 2, 3))
            for parameter in layer.parameters().values():
                gradient = rng.standard_normal(parameter.value.shape).astype(np.float32)
                parameter.grad = to_device(gradient, device)
            steps.step()
        return {name: on_cpu(parameter.value) for name, parameter in layer.parameters().items()}

    expected = moved("cpu")
    for name, value in moved("cuda").items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_step_with_a_log_prior_is_not_captured_and_agrees_with_the_cpu(trainer, gpu):
    expected = next(trainer("cpu", balance=True).run()).loss
    balanced = trainer("cuda", balance=True)
    assert balanced.gpu_step is None
    assert next(balanced.run()).loss == pytest.approx(expected, rel=1e-4)


def test_the_baseline_network_trains_as_on_the_cpu(trainer, gpu):
    expected = losses(trainer("cpu", network=baseline_cnn(image_size=SIDE, seed=1)))
    gpu_trainer = trainer("cuda", network=baseline_cnn(image_size=SIDE, seed=1))
    assert losses(gpu_trainer) == pytest.approx(expected, rel=1e-3)
    assert gpu_trainer.gpu_step.captured


def attending_network():
    """Gates and attention pooling."""
    rng = np.random.default_rng(1)
    features = [Conv2d(1, 4, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2)]
    gates = [SqueezeExcitation(4, reduction=2, rng=rng), SpatialAttention(kernel_size=3, rng=rng)]
    return Sequential(*features, *gates, AttentionPool2d(4), Linear(4, 3, rng=rng), input_shape=(1, SIDE, SIDE))


def transformer():
    """A block of a vision transformer, on four patches."""
    rng = np.random.default_rng(1)
    patches = [Conv2d(1, 6, 8, stride=8, rng=rng), Tokens(), PositionalEmbedding(4, 6, rng=rng)]
    attention = Residual(Sequential(LayerNorm(6), SelfAttention(6, heads=2, rng=rng)))
    mlp = Residual(Sequential(LayerNorm(6), Linear(6, 8, rng=rng), GELU(), Linear(8, 6, rng=rng)))
    return Sequential(*patches, attention, mlp, TokenMean(), Linear(6, 3, rng=rng), input_shape=(1, SIDE, SIDE))


@pytest.mark.parametrize("network", [attending_network, transformer])
def test_networks_that_attend_are_not_captured_and_train_as_on_the_cpu(trainer, network, gpu):
    """Their products run on cuBLAS."""
    expected = losses(trainer("cpu", network=network()))
    with pytest.warns(UserWarning, match="could not be captured"):
        gpu_losses = losses(trainer("cuda", network=network()))
    assert gpu_losses == pytest.approx(expected, rel=1e-3)


# By the names of kernels and functions. At 32 × 32 pixels the last feature map has several pixels, so
# that it is copied to another layout in both directions.
NODES = {
    "gather": 1, "take": 1, "one_channel_forward": 1, "pack_weights": 3, "tile_conv": 6, "multiply": 6, "sum_splits": 1,
    "relu_forward": 1, "relu_backward": 1, "dropout": 2, "softmax_cross_entropy": 1, "tile_weight_gradient": 3,
    "one_channel_weight_gradient": 1, "sum_partials": 4, "reshape": 1, "ascontiguousarray": 1, "gather_arrays": 1,
    "sgd": 1, "step_result": 1,
}  # fmt: skip


def test_a_captured_step_of_the_baseline_network_has_few_nodes(random_dataset, simple_trainer, strict_cupy):
    network = baseline_cnn(image_size=32, seed=1)
    network.to("cuda")
    training = simple_trainer(
        network, SGD(network.parameters(), lr=0.02, momentum=0.9), constant(0.02), random_dataset(3, 32), np.arange(2),
        np.arange(2, 3), 1, 2, device="cuda", precision="tf32",
    )  # fmt: skip
    losses(training)
    nodes = Counter()
    for kind, count in training.gpu_step._replay._graph.kinds().items():
        nodes[kind.partition("<")[0]] += count
    assert nodes == NODES
    assert nodes.total() == 37


def test_a_checkpoint_from_a_gpu_resumes_bit_for_bit(trainer, gpu, tmp_path):
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


def test_the_same_seed_gives_the_same_bits(trainer, gpu):
    assert losses(trainer("cuda")) == losses(trainer("cuda"))


def test_tf32_runs_on_request_and_stays_near_fp32(trainer, gpu):
    with ops.trace() as calls:
        tf32_losses = losses(trainer("cuda", precision="tf32"))
    assert {"fused fp32", "fused tf32", "tf32", "cuda"} <= {call.implementation for call in calls}
    assert tf32_losses == pytest.approx(losses(trainer("cuda")), rel=2e-2)


def test_a_resident_and_a_streamed_dataset_give_the_same_batches(dataset, gpu):
    normalise = Normalisation.fit(dataset, TRAIN)
    resident = make_feed(dataset, normalise, BATCH, "cuda", free=4 * COUNT * SIDE**2)
    streamed = make_feed(dataset, normalise, BATCH, "cuda", free=COUNT * SIDE**2)
    assert (type(resident), type(streamed)) == (ResidentFeed, StreamedFeed)
    batches = [np.array([3, 8]), np.array([0, 2]), np.array([5, 5])]
    for k, indices in enumerate(batches):
        for feed in (resident, streamed):
            feed.put(indices)
            x, y = feed.batch()
            np.testing.assert_array_equal(on_cpu(x), normalise(dataset.read(indices)))
            np.testing.assert_array_equal(on_cpu(y), dataset.labels[indices])
            if k == 0:
                feed.prefetch(batches[1])  # the third batch is not prefetched
            x, y = feed.load(TEST)
            np.testing.assert_array_equal(on_cpu(x), normalise(dataset.read(TEST)))
            np.testing.assert_array_equal(on_cpu(y), dataset.labels[TEST])


def test_every_step_uses_the_same_arrays(trainer, gpu):
    training = trainer("cuda", epochs=2)
    captured = []
    for record in training.run():
        if isinstance(record, Step):
            captured.append([id(array) for array in training.gpu_step._captured_arrays()])
    assert len(captured) == 6
    assert all(arrays == captured[1] for arrays in captured[2:])  # the first step makes the flat buffers
    norm = next(layer for layer in training.model.layers if isinstance(layer, BatchNorm2d))
    assert not np.array_equal(on_cpu(norm.running_mean.value), np.zeros(5))


class FakeGpu:
    """The names of CuPy that `Replay` uses; it logs the calls."""

    def __init__(self):
        self.log = []
        self.cuda = self

    def MemoryPool(self):  # noqa: N802
        return self

    def malloc(self, size):
        raise AssertionError

    def using_allocator(self, allocator):
        self.log.append("allocator")
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.log.append("allocator off")

    def get_current_stream(self):
        return self

    def begin_capture(self):
        self.log.append("begin")

    def end_capture(self):
        self.log.append("end")
        return self

    def launch(self, stream):
        self.log.append("launch")


def test_work_is_captured_after_two_runs_and_replayed_until_an_array_moves():
    gpu = FakeGpu()
    replay = Replay(lambda: gpu.log.append("work"), gpu)
    arrays, moved = [np.zeros(1)], [np.zeros(1)]
    run = ["allocator", "work", "allocator off"]
    capture = ["allocator", "begin", "work", "end", "allocator off", "launch"]
    replayed = (arrays, run), (arrays, run), (arrays, capture), (arrays, ["launch"]), (moved, run)
    for used, expected in replayed:
        gpu.log.clear()
        replay(used)
        assert gpu.log == expected


def test_the_error_that_invalidated_a_capture_is_not_hidden_by_the_end_of_the_capture(monkeypatch):
    gpu = FakeGpu()

    def work():
        if gpu.log[-1] == "begin":
            raise RuntimeError("the cause")

    def end_capture():
        gpu.log.append("end")
        raise RuntimeError("the capture was invalidated")

    monkeypatch.setattr(gpu, "end_capture", end_capture)
    replay = Replay(work, gpu)
    arrays = [np.zeros(1)]
    for _ in range(2):
        replay(arrays)
    with pytest.warns(UserWarning, match="runs kernel by kernel: the cause$"):
        replay(arrays)
    assert "end" in gpu.log
    assert not replay.captured


def test_work_that_cannot_be_captured_runs_anyway_and_warns_once():
    gpu = FakeGpu()

    def work():
        gpu.log.append("work")
        if gpu.log[-2:] == ["begin", "work"]:
            raise RuntimeError("not while capturing")

    replay = Replay(work, gpu)
    arrays = [np.zeros(1)]
    for _ in range(2):
        replay(arrays)
    gpu.log.clear()
    with pytest.warns(UserWarning, match="could not be captured as a CUDA graph .* not while capturing"):
        replay(arrays)
    assert gpu.log == ["allocator", "begin", "work", "end", "work", "allocator off"]
    gpu.log.clear()
    replay(arrays)
    assert gpu.log == ["allocator", "work", "allocator off"]


@pytest.mark.gpu
def test_a_captured_step_gives_the_bits_of_single_launches(trainer, real_gpu):
    results = []
    for graph in (True, False):
        training = trainer("cuda", network=baseline_cnn(image_size=SIDE, seed=1), epochs=5)
        training.gpu_step = GpuStep(training.model, training.optimizer, training.gpu_step.feed, graph=graph)
        results.append(losses(training))
    assert results[0] == results[1]


@pytest.mark.gpu
def test_ten_steps_of_the_baseline_network_agree_with_the_cpu(random_dataset, simple_trainer, real_gpu):
    step_losses = {}
    for device, precision in (("cpu", "fp32"), ("cuda", "fp32"), ("cuda", "tf32")):
        network = baseline_cnn(image_size=64, seed=1)
        network.to(device)
        optimizer = SGD(network.parameters(), lr=0.005, momentum=0.9)
        training = simple_trainer(
            network, optimizer, constant(0.005), random_dataset(48, 64), np.arange(40), np.arange(40, 48), 8, 2,
            device=device, precision=precision,
        )  # fmt: skip
        step_losses[device, precision] = [record.loss for record in training.run() if isinstance(record, Step)]
    assert len(step_losses["cpu", "fp32"]) == 10
    assert step_losses["cuda", "fp32"] == pytest.approx(step_losses["cpu", "fp32"], rel=1e-3)
    assert step_losses["cuda", "tf32"] == pytest.approx(step_losses["cpu", "fp32"], rel=3e-2)


def test_an_out_of_memory_error_of_the_gpu_becomes_an_input_error(trainer, gpu, monkeypatch):

    class OutOfMemoryError(Exception):
        pass

    def fail(*args, **kwargs):
        raise OutOfMemoryError("out of memory allocating 10 bytes")

    training = trainer("cuda")
    monkeypatch.setattr(GpuStep, "launch", fail)
    with pytest.raises(InputError, match=r"device cuda: not enough memory on the GPU .* a smaller --batch-size"):
        losses(training)


def test_a_loss_that_is_not_finite_stops_training(trainer, gpu):
    training = trainer("cuda")
    next(iter(training.model.parameters().values())).value[...] = np.nan
    with pytest.raises(InputError, match="training diverged: the loss of iteration 1 is nan"):
        losses(training)
