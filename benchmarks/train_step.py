"""Training steps of the baseline network per second: tinydnn against PyTorch.

    python benchmarks/train_step.py [--batch 32,128] [--size 256] [--threads 2] [--json F]
    python benchmarks/train_step.py --device cuda [--batch 32,128,512]

Every contestant runs in a process of its own, one at a time, in turns: from the same weights on the same phantoms, with
the same number of threads. First, the losses of ten steps must agree to one part in a thousand; then steps are timed.
The network is the baseline without dropout, whose random draws would differ. The arithmetic bound is the throughput if
all multiplications and additions of a step, zeros included, ran at the peak measured for a matrix product.

On a GPU, times are between events there; memory is the GPU's (tinydnn: the size of its pools; PyTorch: the peak of its
allocations); bounds are those of the precision; and losses must agree to one part in a thousand among the fp32
contestants, and to three in a hundred with the tf32 ones.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from arena import Score, compete, disagreement
from contestants import TINYDNN, TORCH
from contestants_cuda import TINYDNN_CUDA, TORCH_CUDA
from networks import tinydnn_cnn

from tinydnn.bench.machine import machine
from tinydnn.bench.peaks import peaks
from tinydnn.cli.start import raise_core_type
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare import cache
from tinydnn.errors import InputError
from tinydnn.kernels.cpu.threads import set_thread_count
from tinydnn.layers import Conv2d, Linear
from tinydnn.layers.summary import layer_rows
from tinydnn.models import CHANNELS, baseline_cnn
from tinydnn.storage import atomic_write

COMPARED, AGREEMENT, TF32_AGREEMENT = 10, 1e-3, 3e-2
ALL_TORCH = TORCH + TORCH_CUDA


def step_flops(size: int) -> int:
    """FLOPs of convolutions and matrix products per image: forward and two gradients; the image needs no gradient."""
    model = baseline_cnn(image_size=size)
    assert model.input_shape is not None
    rows = zip(model.layers, layer_rows(list(model.named_layers()), model.input_shape), strict=True)
    forward = [row.flops for layer, row in rows if isinstance(layer, Conv2d | Linear)]
    return 3 * sum(forward) - forward[0]


def step_bytes(size: int, batch: int) -> float:
    """Bytes per image that a fused step must move: the input of each block, and its pooled values with an argmax byte.

    Both once in the forward pass; again for the gradient of the kernel; once more for that of the input, which the
    first block does not need. Of the large matrix, shared by the batch: two reads, a write of the gradient, and 20
    bytes per weight for the update.
    """
    values, pixels, previous = 0.0, size * size, 1
    for channels in CHANNELS:
        pooled = 1.25 * channels * pixels / 4
        values += (2 if previous == 1 else 3) * (previous * pixels + pooled)
        previous, pixels = channels, pixels // 4
    return 4 * values + (12 + 20) * previous * pixels * 128 / batch


def write_start(path: Path, batch: int, size: int) -> None:
    """Write the weights, in the order of the layers, and a batch of phantoms: normalised, as bytes, with labels."""
    dataset = Dataset.open(cache.prepared(cache.phantoms(128, size=size), size=size))
    indices = np.arange(min(batch, len(dataset)))  # a larger batch repeats them
    normalise, pixels = Normalisation.fit(dataset, indices), dataset.read(indices)
    data = {"pixels": pixels, "shift": normalise.shift, "scale": normalise.scale, "y": dataset.labels[indices]}
    np.savez(path, x=normalise(pixels), **data, **tinydnn_cnn(size).state())


def bounds_of(peak: dict[str, float], flops: int, name: str) -> float:
    """Images per second at the peak of the contestant's precision; the CPU has one peak only."""
    return peak[name.split()[-1 if name in ALL_TORCH else 1] if len(peak) > 1 else "fp32"] * 1e9 / flops


def agreement(scores: list[Score]) -> tuple[float, bool]:
    """The largest difference of the losses, and whether they agree to their precision."""
    exact = [score for score in scores if "tf32" not in score.name]
    apart, apart_exact = disagreement(scores), disagreement(exact)
    return apart, apart_exact <= AGREEMENT and apart <= (AGREEMENT if len(exact) == len(scores) else TF32_AGREEMENT)


def print_table(scores: list[Score], bounds: dict[str, float]) -> None:
    """Print a line for each contestant, fastest first, and those that did not run."""
    timed = sorted((score for score in scores if not score.failure), key=Score.images_per_s, reverse=True)
    best_torch = max((score.images_per_s() for score in timed if score.name in ALL_TORCH), default=float("nan"))
    print(f"{'':32}  ms/step  images/s    p20    p80  x best PyTorch  peak MB  of the bound  first step")
    for score in timed:
        speed = score.images_per_s()
        print(
            f"{score.name:32}  {1e3 * score.batch / speed:7.2f}  {speed:8.1f} {score.images_per_s(20):6.1f} "
            f"{score.images_per_s(80):6.1f}  {speed / best_torch:14.2f}  {score.peak_memory_mb:7.0f}  "
            f"{speed / bounds[score.name]:11.0%}  {score.first_step:8.1f} s"
        )
    for score in scores:
        if score.failure:
            print(f"{score.name:32}  did not run: {score.failure}")


def print_losses(scores: list[Score]) -> None:
    """Print the losses of the first steps, a column for each contestant."""
    ran = [score for score in scores if not score.failure]
    print("step  " + "  ".join(f"{score.name:>32}" for score in ran))
    for k in range(COMPARED):
        print(f"{k + 1:4}  " + "  ".join(f"{score.losses[k]:32.6f}" for score in ran))


def rows_with_shares(scores: list[Score], *, bounds: dict[str, float], memory: float | None) -> list[dict[str, Any]]:
    """The rows of the results file, with their shares of the arithmetic bounds and of the memory bound, in images/s."""
    torch_speeds = [score.images_per_s() for score in scores if score.name in ALL_TORCH and not score.failure]
    rows = []
    for score in scores:
        row = score.row()
        if not score.failure:
            speed = score.images_per_s()
            row |= {"share_of_bound": speed / bounds[score.name]}
            row |= {"share_of_memory_bound": speed / memory} if memory else {}
            row |= {"ratio_to_best_torch": speed / max(torch_speeds) if torch_speeds else None}
        rows.append(row)
    return rows


def versions() -> dict[str, str | None]:
    """The versions of the packages involved; None if not installed."""
    installed: dict[str, str | None] = {}
    for package in ("tinydnn", "numpy", "numba", "torch", "captum", "cupy-cuda13x", "cupy-cuda12x"):
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            installed[package] = None
    return installed


def measure_peaks(device: str, threads: int) -> tuple[dict[str, Any], dict[str, float], float, str]:
    """Entries of the results file; GFLOP/s by precision; GB/s of copies on a GPU, 0 on the CPU; the device's name."""
    if device == "cpu":
        peak = peaks()
        return {"peaks": asdict(peak)}, {"fp32": peak.gflops}, 0.0, f"{machine().cpu}, {threads} threads"
    from tinydnn.backend import check_device
    from tinydnn.bench.gpu import gpu, gpu_peaks

    check_device(device)
    measured = {precision: gpu_peaks(precision=precision) for precision in ("fp32", "tf32")}
    import cupy

    cupy.get_default_memory_pool().free_all_blocks()
    by_precision = {precision: asdict(peak) for precision, peak in measured.items()}
    gflops = {precision: peak.gflops for precision, peak in measured.items()}
    return {"gpu": asdict(gpu()), "peaks": by_precision}, gflops, measured["fp32"].gbytes, gpu().name


def main() -> int:
    """Race at each batch size; return 1 if the losses do not agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", default="32,128", help="batch sizes, separated by commas")
    parser.add_argument("--size", type=int, default=256, help="pixels along each side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", help="contestants, separated by commas; by default all of the device")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of steps, per contestant and round")
    parser.add_argument("--json", type=Path, help="JSON file for the results, written anew after each round")
    options = parser.parse_args()
    raise_core_type()
    set_thread_count(options.threads)

    contestants = TINYDNN_CUDA + TORCH_CUDA if options.device == "cuda" else TINYDNN + TORCH
    names = options.only.split(",") if options.only else list(contestants)
    batches = [int(batch) for batch in options.batch.split(",")]
    flops, agreed = step_flops(options.size), True
    device, peak, copied, where = measure_peaks(options.device, options.threads)
    bounds = {name: bounds_of(peak, flops, name) for name in names}
    bound = bounds[names[0]]
    peaks_text = ", ".join(f"{gflops:.0f} GFLOP/s ({name})" for name, gflops in peak.items())
    print(f"{where}; matrix products at {peaks_text}")
    print(f"{flops / 1e9:.3f} GFLOP per image: the arithmetic bound of {names[0]} is {bound:.0f} images/s")
    settings = {"size": options.size, "threads": options.threads, "flops_per_image": flops, "bound": bound}
    about = {"machine": asdict(machine()), **device, "versions": versions(), "settings": settings}
    rows: list[dict[str, Any]] = []

    def write(so_far: list[dict[str, Any]]) -> None:
        if options.json:
            with atomic_write(options.json) as path:
                path.write_text(json.dumps({**about, "rows": so_far}, indent=1) + "\n")

    for batch in batches:
        memory = copied * 1e9 / step_bytes(options.size, batch) if copied else None
        rows_of = partial(rows_with_shares, bounds=bounds, memory=memory)
        with tempfile.TemporaryDirectory() as folder:
            start = Path(folder) / "start.npz"
            write_start(start, batch, options.size)
            scores = compete(
                names, batch, options.size, options.threads, start,
                rounds=options.rounds, seconds=options.seconds, compared=COMPARED,
                save=lambda so_far, rows_of=rows_of, before=tuple(rows): write([*before, *rows_of(so_far)]),
            )  # fmt: skip
        print(f"\nbatch {batch}, {options.size} x {options.size}: losses of the first {COMPARED} steps")
        print_losses(scores)
        apart, agree = agreement(scores)
        agreed &= agree
        print(f"largest relative difference {apart:.1e}: {'agree' if agree else 'DO NOT AGREE'}\n")
        print_table(scores, bounds)
        if memory:
            print(f"memory bound of a fused step, at the measured {copied:.0f} GB/s: {memory:.0f} images/s")
        rows += rows_of(scores)
        write(rows)
    return 0 if agreed else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
