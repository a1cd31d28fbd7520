"""The contestants on a GPU; `contestants.py` starts them, each in a process of its own.

Steps are started one after the other without waiting; a step's time is that between two events on the GPU, one after
each step. tinydnn takes its batch from a dataset of bytes on the GPU and normalises it there in every step; PyTorch
finds its batch there, normalised. "fp32" and "tf32" say how exact products are, in convolutions and matrices alike.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

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
NOT_WEIGHTS = ("x", "y", "pixels", "shift", "scale")  # of a start file

Run = Callable[[int], tuple[list[float], list[float]]]  # so many steps; losses before each, and seconds
MEGABYTE = 1 << 20


def tinydnn_run(name: str, batch: int, size: int, start: Any) -> tuple[Run, Callable[[], float]]:
    """As `tinydnn train --device cuda` steps, without dropout; and what it takes of the GPU's memory, in MiB."""
    import cupy

    import tinydnn.kernels  # noqa: F401 - registers the implementations
    from tinydnn import ops
    from tinydnn.data.dataset import Dataset
    from tinydnn.data.normalise import Normalisation
    from tinydnn.layers import Dropout, Sequential
    from tinydnn.models import baseline_cnn
    from tinydnn.optim import SGD
    from tinydnn.training.gpu_feed import make_feed
    from tinydnn.training.gpu_step import GpuStep

    precision, graph = name.split()[1], "graph" in name
    pictures, labels = start["pixels"], start["y"]
    data = Dataset(pictures, labels, np.array([""] * len(labels)), ("a", "b", "c"))
    model = Sequential(*(layer for layer in baseline_cnn(image_size=size).layers if not isinstance(layer, Dropout)))
    model.load_state({key: start[key] for key in model.state()})
    model.to("cuda")
    optimizer = SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    normalise = Normalisation("standard", float(start["shift"]), float(start["scale"]))
    feed = make_feed(data, normalise, batch, "cuda")
    step = GpuStep(model, optimizer, feed, precision=precision, graph=graph)
    indices = np.arange(batch) % len(labels)

    def run(count: int) -> tuple[list[float], list[float]]:
        results = []
        with step.on_stream(), ops.precision(precision):
            marks = [cupy.cuda.Event() for _ in range(count + 1)]
            marks[0].record(step.stream)
            for k in range(count):
                step.launch(indices)
                marks[k + 1].record(step.stream)
                results.append(step.result.copy())
            step.stream.synchronize()
        seconds = [cupy.cuda.get_elapsed_time(*marks[k : k + 2]) / 1e3 for k in range(count)]
        return [float(result.get()[0]) for result in results], seconds

    def memory() -> float:
        return (cupy.get_default_memory_pool().total_bytes() + step.pool_bytes()) / MEGABYTE

    return run, memory


def torch_run(name: str, batch: int, size: int, start: Any) -> tuple[Run, Callable[[], float]]:
    """As PyTorch's documentation advises: `cudnn.benchmark`, ReLU in place, the fused optimiser."""
    import torch
    from torch import nn

    if not torch.cuda.is_available():
        raise SystemExit("PyTorch sees no GPU")
    exact = name.endswith("fp32")
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = not exact
    layout = torch.contiguous_format if "nchw" in name else torch.channels_last
    weights = [torch.tensor(start[key]) for key in start.files if key not in NOT_WEIGHTS]  # kernel, bias, kernel, …
    layers: list[nn.Module] = []
    for w, _ in zip(weights[0::2], weights[1::2], strict=True):
        if w.ndim == 4:
            layers += [nn.Conv2d(w.shape[1], w.shape[0], 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        else:
            hidden = [nn.ReLU(inplace=True)] if isinstance(layers[-1], nn.Linear) else [nn.Flatten()]
            layers += [*hidden, nn.Linear(w.shape[1], w.shape[0])]
    model = nn.Sequential(*layers)
    with torch.no_grad():
        for parameter, w in zip(model.parameters(), weights, strict=True):
            parameter.copy_(w)
    model = model.to("cuda", memory_format=layout)
    indices = np.arange(batch) % len(start["y"])
    x = torch.tensor(start["x"][indices], device="cuda").contiguous(memory_format=layout)
    y = torch.tensor(start["y"][indices], device="cuda")
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, fused=True)
    loss_of = nn.CrossEntropyLoss()
    forward: Any = model
    if "max-autotune" in name:
        forward = torch.compile(model, mode="max-autotune")
    elif "compile" in name:
        forward = torch.compile(model)

    def run(count: int) -> tuple[list[float], list[float]]:
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
        losses = []
        marks[0].record()
        for k in range(count):
            loss = loss_of(forward(x), y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            marks[k + 1].record()
            losses.append(loss.detach().clone())
        torch.cuda.synchronize()
        return [float(loss) for loss in losses], [marks[k].elapsed_time(marks[k + 1]) / 1e3 for k in range(count)]

    return run, lambda: torch.cuda.max_memory_allocated() / MEGABYTE
