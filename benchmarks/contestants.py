"""The contestants, each in a process of its own: `python benchmarks/contestants.py NAME BATCH SIZE THREADS START.npz`.

Each trains the baseline network without dropout, from the same weights on the same batch, by SGD with momentum. It
answers a line of JSON, such as {"steps": 10}, with another, and waits idle between them.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from contestants_cuda import NOT_WEIGHTS, TINYDNN_CUDA, TORCH_CUDA, Run, tinydnn_run, torch_run

LEARNING_RATE, MOMENTUM = 0.005, 0.9
TINYDNN = ("tinydnn numpy", "tinydnn numba")
TORCH = ("torch eager nchw", "torch eager channels-last", "torch compile")

Step = Callable[[], float]  # one training step; returns the loss before it


def tinydnn_step(name: str, batch: int, size: int, threads: int, start: Any) -> Step:
    """As a user's own loop trains."""
    import tinydnn.kernels  # noqa: F401 - registers the implementations
    from tinydnn import ops
    from tinydnn.kernels.cpu.threads import set_thread_count
    from tinydnn.layers import Dropout, Sequential
    from tinydnn.models import baseline_cnn
    from tinydnn.optim import SGD

    set_thread_count(threads)
    if name == "tinydnn numba" and "numba" not in ops.conv2d_relu_maxpool2d.implementations:
        raise SystemExit("Numba is not installed")
    model = Sequential(*(layer for layer in baseline_cnn(image_size=size).layers if not isinstance(layer, Dropout)))
    model.load_state({name: start[name] for name in model.state()})
    optimizer = SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    x, y = start["x"][:batch], start["y"][:batch]

    def step() -> float:
        logits, backward = model(x, training=True)
        loss, loss_backward = ops.softmax_cross_entropy(logits, y)
        backward(loss_backward(), need_dx=False)
        optimizer.step()
        return float(loss)

    return step


def torch_step(name: str, batch: int, size: int, threads: int, start: Any) -> Step:
    """As PyTorch's documentation advises: channels-last where named, ReLU in place, the fused optimiser."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    layout = torch.contiguous_format if name == "torch eager nchw" else torch.channels_last
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
    model = model.to(memory_format=layout)
    x = torch.tensor(start["x"][:batch]).contiguous(memory_format=layout)
    y = torch.tensor(start["y"][:batch])
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, fused=True)
    loss_of = nn.CrossEntropyLoss()
    forward = torch.compile(model) if name == "torch compile" else model

    def step() -> float:
        loss = loss_of(forward(x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def timed(step: Step) -> Run:
    """Steps one by one, by the clock."""

    def run(count: int) -> tuple[list[float], list[float]]:
        losses, seconds = [], []
        for _ in range(count):
            begin = perf_counter()
            losses.append(step())
            seconds.append(perf_counter() - begin)
        return losses, seconds

    return run


def serve(run: Run, memory: Callable[[], float]) -> None:
    """Do what the lines on standard input say. The first step, with compilation, is timed apart."""
    for line in sys.stdin:
        losses, seconds = run(json.loads(line)["steps"])
        print(json.dumps({"losses": losses, "seconds": seconds, "peak_memory_mb": memory()}), flush=True)


def peak_memory_mb() -> float:
    """The most memory that this process has had, in MiB.

    Not `ru_maxrss`, which begins with the memory of the process that started this one.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def main() -> None:
    """Build the contestant that the arguments name, and serve."""
    name, batch, size, threads, path = sys.argv[1], *map(int, sys.argv[2:5]), Path(sys.argv[5])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if name == "tinydnn numpy":
        sys.modules["numba"] = None  # as if it were not installed
    if name in TINYDNN:
        from tinydnn.cli.start import raise_core_type

        raise_core_type()  # as the command line does
    import numpy as np

    with np.load(path) as start:
        if name in TINYDNN_CUDA or name in TORCH_CUDA:
            on_gpu = tinydnn_run if name in TINYDNN_CUDA else torch_run
            run, memory = on_gpu(name, batch, size, start)
        else:
            build = tinydnn_step if name in TINYDNN else torch_step
            run, memory = timed(build(name, batch, size, threads, start)), peak_memory_mb
    serve(run, memory)


if __name__ == "__main__":
    main()
