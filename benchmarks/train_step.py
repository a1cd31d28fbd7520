"""The baseline network's training step: tinydnn against PyTorch, side by side.

    python benchmarks/train_step.py [--batch 32,128] [--size 256] [--threads 2] [--json F]

Every contestant runs in a process of its own, from the same weights on the same phantoms, with the same number of
threads, one at a time, in turns. First the losses of ten steps must agree to one part in a thousand; then steps are
timed. The network is the paper's without dropout, which would draw other numbers in each program. The arithmetic bound
is what the step would take if all its multiplications and additions, zeros included, ran as fast as the fastest matrix
product that this machine was seen to do.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from arena import Score, compete, disagreement
from contestants import TINYDNN, TORCH

from tinydnn.atomic import write_whole
from tinydnn.bench.machine import machine
from tinydnn.bench.peaks import peaks
from tinydnn.cli.start import raise_core_type
from tinydnn.data import cache
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.kernels.cpu.threads import set_thread_count
from tinydnn.layers import Conv2d, Dropout, Linear, Sequential
from tinydnn.layers.summary import layer_rows
from tinydnn.models import baseline_cnn

COMPARED, AGREEMENT = 10, 1e-3


def step_flops(size: int) -> int:
    """FLOPs of convolutions and matrix products for an image: forward and two gradients, without that of the pixels."""
    model = baseline_cnn(image_size=size)
    assert model.input_shape is not None
    rows = zip(model.layers, layer_rows(model, model.input_shape), strict=True)
    forward = [row.flops for layer, row in rows if isinstance(layer, Conv2d | Linear)]
    return 3 * sum(forward) - forward[0]


def write_start(path: Path, batch: int, size: int) -> None:
    """Weights, in the order of the layers, and a normalised batch of phantoms with labels."""
    dataset = Dataset.open(cache.prepared(cache.phantoms(128, size=size), size=size))
    indices = np.arange(batch)
    x = Normalisation.fit(dataset, indices)(dataset.read(indices))
    layers = [layer for layer in baseline_cnn(image_size=size).layers if not isinstance(layer, Dropout)]
    np.savez(path, x=x, y=dataset.labels[:batch], **Sequential(*layers).state())


def print_table(scores: list[Score], bound: float) -> None:
    """A line for each contestant, fastest first."""
    able = sorted((score for score in scores if not score.failure), key=Score.rate, reverse=True)
    best_torch = max((score.rate() for score in able if score.name in TORCH), default=float("nan"))
    print(f"{'':26}  images/s    p20    p80  x best PyTorch  peak MB  of the bound  first step")
    for score in able:
        print(
            f"{score.name:26}  {score.rate():8.1f} {score.rate(20):6.1f} {score.rate(80):6.1f}  "
            f"{score.rate() / best_torch:14.2f}  {score.peak_memory_mb:7.0f}  {score.rate() / bound:11.0%}  "
            f"{score.first_step:8.1f} s"
        )
    for score in scores:
        if score.failure:
            print(f"{score.name:26}  did not run: {score.failure}")


def print_losses(scores: list[Score]) -> None:
    """The losses of the first steps, a column a contestant."""
    able = [score for score in scores if not score.failure]
    print("step  " + "  ".join(f"{score.name:>25}" for score in able))
    for k in range(COMPARED):
        print(f"{k + 1:4}  " + "  ".join(f"{score.losses[k]:25.6f}" for score in able))


def versions() -> dict[str, str | None]:
    """Of everything that takes part."""
    found: dict[str, str | None] = {}
    for package in ("tinydnn", "numpy", "numba", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def main() -> int:
    """Compete at each batch size; 1 where losses do not agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", default="32,128", help="batch sizes, with commas between them")
    parser.add_argument("--size", type=int, default=256, help="pixels along each side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default=",".join(TINYDNN + TORCH), help="contestants, with commas between them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of steps, for each contestant in each round")
    parser.add_argument("--json", type=Path, help="a file for the results")
    options = parser.parse_args()
    raise_core_type()
    set_thread_count(options.threads)

    names, batches = options.only.split(","), [int(batch) for batch in options.batch.split(",")]
    flops, agreed = step_flops(options.size), True
    peak = peaks()
    bound = peak.gflops * 1e9 / flops
    print(f"{machine().cpu}, {options.threads} threads; matrix products at {peak.gflops:.0f} GFLOP/s")
    print(f"{flops / 1e9:.3f} GFLOP for an image, so {bound:.0f} images/s are the arithmetic bound")
    rows: list[dict[str, Any]] = []
    for batch in batches:
        with tempfile.TemporaryDirectory() as folder:
            start = Path(folder) / "start.npz"
            write_start(start, batch, options.size)
            scores = compete(
                names, batch, options.size, options.threads, start,
                rounds=options.rounds, seconds=options.seconds, compared=COMPARED,
            )  # fmt: skip
        print(f"\nbatch {batch}, {options.size} x {options.size}: losses of the first {COMPARED} steps")
        print_losses(scores)
        apart = disagreement(scores)
        agreed &= apart <= AGREEMENT
        print(f"largest relative difference {apart:.1e}: {'agree' if apart <= AGREEMENT else 'DO NOT AGREE'}\n")
        print_table(scores, bound)
        best_torch = max((one.rate() for one in scores if one.name in TORCH and not one.failure), default=None)
        for score in scores:
            row = score.row()
            if not score.failure:
                row |= {"share_of_bound": score.rate() / bound}
                row |= {"ratio_to_best_torch": score.rate() / best_torch if best_torch else None}
            rows.append(row)
    if options.json:
        settings = {"size": options.size, "threads": options.threads, "flops_per_image": flops, "bound": bound}
        about = {"machine": asdict(machine()), "peaks": asdict(peak), "versions": versions(), "settings": settings}
        text = json.dumps({**about, "rows": rows}, indent=1)
        with write_whole(options.json) as path:
            path.write_text(text + "\n")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
