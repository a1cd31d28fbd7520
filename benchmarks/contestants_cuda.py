"""The contestants on a GPU; `contestants.py` starts each in a process of its own.

Steps are launched one after the other without waiting; the time of a step is that between two events on the GPU, one
after each step. tinydnn gathers its batch from a dataset of bytes on the GPU and normalises it there in every step;
the batch of PyTorch is there already, normalised. "fp32" and "tf32" are the precision of all products.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from networks import load_torch_weights, tinydnn_cnn, torch_cnn, torch_training_step

LEARNING_RATE, MOMENTUM = 0.005, 0.9
TINYDNN_CUDA = ("tinydnn tf32 graph", "tinydnn fp32 graph", "tinydnn tf32", "tinydnn fp32")
TORCH_CUDA = (
    "torch eager nchw tf32",
    "torch eager channels-last tf32",
    "torch compile tf32",
    "torch compile max-autotune tf32",
    "torch eager nchw fp32",
    "torch eager channels-last fp32",
    "torch compile fp32",
    "torch compile max-autotune fp32",
)
NOT_WEIGHTS = ("x", "y", "pixels", "shift", "scale")  # the other arrays of a start file

Run = Callable[[int], tuple[list[float], list[float]]]  # run so many steps; the loss before each, and its seconds
MEGABYTE = 1 << 20


def tinydnn_run(name: str, batch: int, size: int, start: Any) -> tuple[Run, Callable[[], float]]:
    """The steps of `tinydnn train --device cuda`, without dropout, and a function for the GPU memory used, in MiB."""
    import cupy

    import tinydnn.kernels  # noqa: F401 - registers the implementations
    from tinydnn import ops
    from tinydnn.data.dataset import Dataset
    from tinydnn.data.normalise import Normalisation
    from tinydnn.optim import SGD
    from tinydnn.training.gpu_feed import make_feed
    from tinydnn.training.gpu_step import WARM_UPS, GpuStep

    precision, graph = name.split()[1], "graph" in name
    labels = start["y"]
    dataset = Dataset(start["pixels"], labels, np.array([""] * len(labels)), ("a", "b", "c"))
    model = tinydnn_cnn(size)
    model.load_state({key: start[key] for key in model.state()})
    model.to("cuda")
    optimizer = SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    normalise = Normalisation("standard", float(start["shift"]), float(start["scale"]))
    feed = make_feed(dataset, normalise, batch, "cuda")
    step = GpuStep(model, optimizer, feed, precision=precision, graph=graph)
    indices = np.arange(batch) % len(labels)

    def run(count: int) -> tuple[list[float], list[float]]:
        results = []
        with step.on_stream(), ops.precision(precision):
            events = [cupy.cuda.Event() for _ in range(count + 1)]
            events[0].record(step.stream)
            for k in range(count):
                step.launch(indices)
                events[k + 1].record(step.stream)
                results.append(step.result.copy())
            step.stream.synchronize()
        if graph and count > WARM_UPS and not step.captured:
            raise SystemExit("the step could not be captured as a CUDA graph")
        seconds = [cupy.cuda.get_elapsed_time(*events[k : k + 2]) / 1e3 for k in range(count)]
        return [float(result.get()[0]) for result in results], seconds

    def memory() -> float:
        return (cupy.get_default_memory_pool().total_bytes() + step.pool_bytes()) / MEGABYTE

    return run, memory


def torch_run(name: str, batch: int, size: int, start: Any) -> tuple[Run, Callable[[], float]]:
    """As PyTorch's documentation advises: `cudnn.benchmark`, ReLU in place, the fused optimizer."""
    import torch

    if not torch.cuda.is_available():
        raise SystemExit("PyTorch finds no GPU")
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = not name.endswith("fp32")
    layout = torch.contiguous_format if "nchw" in name else torch.channels_last
    model = torch_cnn(size)
    load_torch_weights(model, (start[key] for key in start.files if key not in NOT_WEIGHTS))
    model = model.to("cuda", memory_format=layout)
    indices = np.arange(batch) % len(start["y"])
    x = torch.tensor(start["x"][indices], device="cuda").contiguous(memory_format=layout)
    y = torch.tensor(start["y"][indices], device="cuda")
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, fused=True)
    forward: Any = model
    if "max-autotune" in name:
        forward = torch.compile(model, mode="max-autotune")
    elif "compile" in name:
        forward = torch.compile(model)

    def run(count: int) -> tuple[list[float], list[float]]:
        events = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
        losses = []
        events[0].record()
        for k in range(count):
            loss = torch_training_step(forward, optimizer, x, y)
            events[k + 1].record()
            losses.append(loss.clone())
        torch.cuda.synchronize()
        return [float(loss) for loss in losses], [events[k].elapsed_time(events[k + 1]) / 1e3 for k in range(count)]

    return run, lambda: torch.cuda.max_memory_allocated() / MEGABYTE
