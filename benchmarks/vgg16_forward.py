"""Time and peak memory of the forward pass of VGG-16's trunk, against PyTorch; and what freezing saves in training.

    python benchmarks/vgg16_forward.py [--size 128] [--batch 32] [--rounds 3] [--threads 2]

The contestants run in turns, each in a process of its own, on the same random images; the weights are random too, which
costs the same. A first pass on small images imports and compiles. The memory, with the weights, is the peak of the
process in later passes above its level after the first. Writes results/vgg16-forward.json.
"""

import argparse
import ctypes
import gc
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from networks import torch_vgg16_trunk

CONTESTANTS = ("tinydnn", "torch nchw", "torch channels-last", "training, trunk frozen", "training, nothing frozen")
PASSES = 2


def tinydnn_pass(x: np.ndarray) -> Callable[[], Any]:
    """The forward pass of the trunk in evaluation mode."""
    from tinydnn.models import NETWORKS

    trunk = NETWORKS["vgg16"].trunk(image_size=x.shape[-1])
    return lambda: trunk.predict(x)


def training_pass(x: np.ndarray, frozen: bool) -> Callable[[], Any]:
    """A training step of the trunk with a new head."""
    from tinydnn import SGD
    from tinydnn.models import adapted
    from tinydnn.training.step import training_step

    model = adapted("vgg16", head="linear", image_size=x.shape[-1], classes=3, seed=0)
    if frozen:
        model.freeze("features")
    optimizer, y = SGD(model.parameters(), lr=1e-9), np.zeros(len(x), np.int64)
    return lambda: training_step(model, optimizer.step, x, y)


def torch_pass(x: np.ndarray, threads: int, channels_last: bool) -> Callable[[], Any]:
    """The same trunk in PyTorch, in inference mode."""
    import torch

    torch.set_num_threads(threads)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    trunk = torch_vgg16_trunk().to(memory_format=layout)
    images = torch.tensor(x).contiguous(memory_format=layout)

    def run() -> None:
        with torch.inference_mode():
            trunk(images)

    return run


def measure(name: str, size: int, batch: int, threads: int) -> dict[str, float]:
    """The seconds of a pass and its peak memory in MB, of a contestant in this process; Linux only."""
    from tinydnn.kernels.cpu.threads import set_thread_count

    set_thread_count(threads)
    x = np.random.default_rng(0).standard_normal((batch, 3, size, size)).astype(np.float32)

    def build(x: np.ndarray) -> Callable[[], Any]:
        if name == "tinydnn":
            return tinydnn_pass(x)
        if name.startswith("training"):
            return training_pass(x, frozen=name.endswith("trunk frozen"))
        return torch_pass(x, threads, channels_last=name.endswith("last"))

    build(np.ascontiguousarray(x[:1, :, :32, :32]))()
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # return the memory that the first pass has freed
    before = resident_mb("VmRSS")
    run = build(x)
    run()
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak
    seconds = []
    for _ in range(PASSES):
        begin = perf_counter()
        run()
        seconds.append(perf_counter() - begin)
    return {"seconds": statistics.median(seconds), "peak_mb": resident_mb("VmHWM") - before}


def resident_mb(line: str) -> float:
    """The resident memory of this process, now ("VmRSS") or at its peak ("VmHWM"), in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(text.split()[1]) for text in lines if text.startswith(f"{line}:")) / 1024


def main() -> None:
    """Run all contestants in turns, print a table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help="measure this contestant in this process and print the results as JSON")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.size, arguments.batch, arguments.threads)))
        return
    options = [f"--{name}={getattr(arguments, name)}" for name in ("size", "batch", "threads")]
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
    for _ in range(arguments.rounds):
        for name in CONTESTANTS:
            command = [sys.executable, __file__, *options, "--one", name]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            measured[name].append(json.loads(output))
    table = {
        name: {key: round(statistics.median(result[key] for result in rounds), 3) for key in ("seconds", "peak_mb")}
        for name, rounds in measured.items()
    }
    best = min(table["torch nchw"]["seconds"], table["torch channels-last"]["seconds"])
    for name, row in table.items():
        print(f"{name:26} {row['seconds']:7.3f} s   {row['peak_mb']:6.0f} MB")
    print(f"tinydnn's forward pass is {best / table['tinydnn']['seconds']:.2f} times as fast as PyTorch's faster one")
    out = Path(__file__).parent / "results" / "vgg16-forward.json"
    out.write_text(json.dumps({**vars(arguments), "contestants": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
