"""The contestants, each in a process of its own: `python benchmarks/contestants.py NAME BATCH SIZE THREADS START.npz`.

Each trains the baseline network without dropout, from the same weights on the same batch, by SGD with momentum. A
contestant reads requests such as {"steps": 10}, a line of JSON each, answers each with a line, and is idle in between.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from contestants_cuda import (
    LEARNING_RATE,
    MOMENTUM,
    NOT_WEIGHTS,
    TINYDNN_CUDA,
    TORCH_CUDA,
    Run,
    tinydnn_run,
    torch_run,
)
from networks import load_torch_weights, tinydnn_cnn, torch_cnn, torch_training_step

TINYDNN = ("tinydnn numpy", "tinydnn numba")
TORCH = ("torch eager nchw", "torch eager channels-last", "torch compile")

Step = Callable[[], float]  # one training step; returns the loss before its update


def tinydnn_step(name: str, batch: int, size: int, threads: int, start: Any) -> Step:
    """The step of `tinydnn train`."""
    import tinydnn.kernels  # noqa: F401 - registers the implementations
    from tinydnn import ops
    from tinydnn.kernels.cpu.threads import set_thread_count
    from tinydnn.optim import SGD
    from tinydnn.training.step import training_step

    set_thread_count(threads)
    if name == "tinydnn numba" and "numba" not in ops.conv2d_relu_maxpool2d.implementations:
        raise SystemExit("Numba is not installed")
    model = tinydnn_cnn(size)
    model.load_state({name: start[name] for name in model.state()})
    optimizer = SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    x, y = start["x"][:batch], start["y"][:batch]
    return lambda: float(training_step(model, optimizer.step, x, y).total_loss)


def torch_step(name: str, batch: int, size: int, threads: int, start: Any) -> Step:
    """As PyTorch's documentation advises: channels-last where named, ReLU in place, the fused optimizer."""
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    layout = torch.contiguous_format if name == "torch eager nchw" else torch.channels_last
    model = torch_cnn(size)
    load_torch_weights(model, (start[key] for key in start.files if key not in NOT_WEIGHTS))
    model = model.to(memory_format=layout)
    x = torch.tensor(start["x"][:batch]).contiguous(memory_format=layout)
    y = torch.tensor(start["y"][:batch])
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, fused=True)
    forward = torch.compile(model) if name == "torch compile" else model
    return lambda: float(torch_training_step(forward, optimizer, x, y))


def timed(step: Step) -> Run:
    """Run and time steps one by one."""

    def run(count: int) -> tuple[list[float], list[float]]:
        losses, seconds = [], []
        for _ in range(count):
            begin = perf_counter()
            losses.append(step())
            seconds.append(perf_counter() - begin)
        return losses, seconds

    return run


def serve(run: Run, memory: Callable[[], float]) -> None:
    """Answer the requests on standard input."""
    for line in sys.stdin:
        losses, seconds = run(json.loads(line)["steps"])
        print(json.dumps({"losses": losses, "seconds": seconds, "peak_memory_mb": memory()}), flush=True)


def peak_memory_mb() -> float:
    """The peak memory of this process, in MiB.

    Not `ru_maxrss`, which starts with the memory of the parent process.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def main() -> None:
    """Build the contestant of the arguments, and serve."""
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
