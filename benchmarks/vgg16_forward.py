"""The forward pass of VGG-16's trunk beside PyTorch's: time and peak memory; and what freezing saves in training.

    python benchmarks/vgg16_forward.py [--size 128] [--batch 32] [--rounds 3] [--threads 2]

Every contestant runs in a process of its own, in turns, with the same random pictures; random weights cost what any do.
Memory is measured alike for all, from a first pass on small pictures on, which imports and compiles, and with the
weights in it: the highest that the process reaches in any pass but the first, beyond where it stood before. Writes
results/vgg16-forward.json.
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

CONTESTANTS = ("tinydnn", "torch nchw", "torch channels-last", "training, trunk frozen", "training, nothing frozen")
PASSES = 2
CHANNELS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)  # 0: a pooling


def tinydnn_pass(x: np.ndarray) -> Callable[[], Any]:
    """The trunk's prediction."""
    from tinydnn.models import NETWORKS

    trunk = NETWORKS["vgg16"].trunk(image_size=x.shape[-1])
    return lambda: trunk.predict(x)


def training_pass(x: np.ndarray, frozen: bool) -> Callable[[], Any]:
    """A training step of the trunk under a new head."""
    from tinydnn import SGD, ops
    from tinydnn.models import adapted

    model = adapted("vgg16", head="linear", image_size=x.shape[-1], classes=3, seed=0)
    if frozen:
        model.freeze("features")
    optimizer, y = SGD(model.parameters(), lr=1e-9), np.zeros(len(x), np.int64)

    def step() -> None:
        logits, backward = model(x, training=True)
        backward(ops.softmax_cross_entropy(logits, y)[1](), need_dx=False)
        optimizer.step()

    return step


def torch_pass(x: np.ndarray, threads: int, channels_last: bool) -> Callable[[], Any]:
    """The same trunk in PyTorch, in inference mode."""
    import torch

    torch.set_num_threads(threads)
    layers: list[torch.nn.Module] = []
    previous = 3
    for channels in CHANNELS:
        if channels:
            layers += [torch.nn.Conv2d(previous, channels, 3, padding=1), torch.nn.ReLU(inplace=True)]
            previous = channels
        else:
            layers.append(torch.nn.MaxPool2d(2))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    trunk = torch.nn.Sequential(*layers).eval().to(memory_format=layout)
    pictures = torch.tensor(x).contiguous(memory_format=layout)

    def run() -> None:
        with torch.inference_mode():
            trunk(pictures)

    return run


def measure(name: str, size: int, batch: int, threads: int) -> dict[str, float]:
    """Seconds of a pass and its peak memory in MB, of one contestant in this process; Linux only."""
    from tinydnn.kernels.cpu.threads import set_thread_count

    set_thread_count(threads)
    x = np.random.default_rng(0).standard_normal((batch, 3, size, size)).astype(np.float32)

    def made(x: np.ndarray) -> Callable[[], Any]:
        if name == "tinydnn":
            return tinydnn_pass(x)
        if name.startswith("training"):
            return training_pass(x, frozen=name.endswith("trunk frozen"))
        return torch_pass(x, threads, channels_last=name.endswith("last"))

    made(np.ascontiguousarray(x[:1, :, :32, :32]))()
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what the first pass has freed is the system's again
    before = resident_mb("VmRSS")
    run = made(x)
    run()
    Path("/proc/self/clear_refs").write_text("5")  # forgets the highest so far
    seconds = []
    for _ in range(PASSES):
        begin = perf_counter()
        run()
        seconds.append(perf_counter() - begin)
    return {"seconds": statistics.median(seconds), "peak_mb": resident_mb("VmHWM") - before}


def resident_mb(line: str) -> float:
    """The memory of this process that is in use ("VmRSS"), or was at most ("VmHWM"), in MB."""
    found = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith(f"{line}:"))
    return int(found.split()[1]) / 1024


def main() -> None:
    """Let the contestants take turns, print a table and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help="measure this contestant here and print the figures as JSON")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.size, given.batch, given.threads)))
        return
    options = [f"--{name}={getattr(given, name)}" for name in ("size", "batch", "threads")]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
    for _ in range(given.rounds):
        for name in CONTESTANTS:
            command = [sys.executable, __file__, *options, "--one", name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[name].append(json.loads(done.stdout))
    table = {
        name: {key: round(statistics.median(one[key] for one in rounds), 3) for key in ("seconds", "peak_mb")}
        for name, rounds in found.items()
    }
    best = min(table["torch nchw"]["seconds"], table["torch channels-last"]["seconds"])
    for name, row in table.items():
        print(f"{name:26} {row['seconds']:7.3f} s   {row['peak_mb']:6.0f} MB")
    print(f"tinydnn's forward pass is {best / table['tinydnn']['seconds']:.2f} times as fast as the better PyTorch")
    out = Path(__file__).parent / "results" / "vgg16-forward.json"
    out.write_text(json.dumps({**vars(given), "contestants": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
