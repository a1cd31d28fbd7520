"""The baseline network's training step: tinydnn against PyTorch, side by side.

    python benchmarks/train_step.py [--batch 32,128] [--size 256] [--threads 2] [--json F]
    python benchmarks/train_step.py --device cuda [--batch 32,128,512]

Every contestant runs in a process of its own, from the same weights on the same phantoms, with the same number of
threads, one at a time, in turns. First the losses of ten steps must agree to one part in a thousand; then steps are
timed. The network is the paper's without dropout, which would draw other numbers in each program. The arithmetic bound
is what the step would take if all its multiplications and additions, zeros included, ran as fast as the fastest matrix
product that this machine was seen to do.

On a GPU, times are those between events there, memory is what each takes of the GPU's (tinydnn: all that its pools
hold; PyTorch: the most that it had allocated), the bounds are those of the precision, and losses must agree to one part
in a thousand among those in fp32, and to three in a hundred with those in tf32.
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
from contestants_cuda import TINYDNN_CUDA, TORCH_CUDA

from tinydnn.bench.machine import machine
from tinydnn.bench.peaks import peaks
from tinydnn.cli.start import raise_core_type
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare import cache
from tinydnn.errors import InputError
from tinydnn.kernels.cpu.threads import set_thread_count
from tinydnn.layers import Conv2d, Dropout, Linear, Sequential
from tinydnn.layers.summary import layer_rows
from tinydnn.models import CHANNELS, baseline_cnn
from tinydnn.storage import atomic_write

COMPARED, AGREEMENT, TF32_AGREEMENT = 10, 1e-3, 3e-2
OF_TORCH = TORCH + TORCH_CUDA


def step_flops(size: int) -> int:
    """FLOPs of convolutions and matrix products for an image: forward and two gradients, without that of the pixels."""
    model = baseline_cnn(image_size=size)
    assert model.input_shape is not None
    rows = zip(model.layers, layer_rows(model, model.input_shape), strict=True)
    forward = [row.flops for layer, row in rows if isinstance(layer, Conv2d | Linear)]
    return 3 * sum(forward) - forward[0]


def step_bytes(size: int, batch: int) -> float:
    """Bytes that a fused step must move for an image: of each block what goes in, and pooled numbers with a byte each.

    Forward both once; for the gradient of the kernel both again, for that of the pixels, which the first block does not
    need, both once more. Of the large matrix, which a batch shares: twice read, its gradient written, and 20 bytes a
    number for the update.
    """
    numbers, pixels, before = 0.0, size * size, 1
    for channels in CHANNELS:
        pooled = 1.25 * channels * pixels / 4
        numbers += (2 if before == 1 else 3) * (before * pixels + pooled)
        before, pixels = channels, pixels // 4
    return 4 * numbers + (12 + 20) * before * pixels * 128 / batch


def write_start(path: Path, batch: int, size: int) -> None:
    """Weights, in the order of the layers, and a normalised batch of phantoms with labels."""
    dataset = Dataset.open(cache.prepared(cache.phantoms(128, size=size), size=size))
    indices = np.arange(min(batch, len(dataset)))  # a larger batch shows them again
    normalise, pixels = Normalisation.fit(dataset, indices), dataset.read(indices)
    given = {"pixels": pixels, "shift": normalise.shift, "scale": normalise.scale, "y": dataset.labels[indices]}
    layers = [layer for layer in baseline_cnn(image_size=size).layers if not isinstance(layer, Dropout)]
    np.savez(path, x=normalise(pixels), **given, **Sequential(*layers).state())


def bounds_of(peak: dict[str, float], flops: int, name: str) -> float:
    """Images a second at the peak of the contestant's precision; on the CPU there is one."""
    return peak[name.split()[-1 if name in OF_TORCH else 1] if len(peak) > 1 else "fp32"] * 1e9 / flops


def agreement(scores: list[Score]) -> tuple[float, bool]:
    """The largest difference, and whether losses agree as far as their precision lets them."""
    exact = [score for score in scores if "tf32" not in score.name]
    apart, apart_exact = disagreement(scores), disagreement(exact)
    return apart, apart_exact <= AGREEMENT and apart <= (AGREEMENT if len(exact) == len(scores) else TF32_AGREEMENT)


def print_table(scores: list[Score], bounds: dict[str, float]) -> None:
    """A line for each contestant, fastest first."""
    able = sorted((score for score in scores if not score.failure), key=Score.rate, reverse=True)
    best_torch = max((score.rate() for score in able if score.name in OF_TORCH), default=float("nan"))
    print(f"{'':32}  ms/step  images/s    p20    p80  x best PyTorch  peak MB  of the bound  first step")
    for score in able:
        print(
            f"{score.name:32}  {1e3 * score.batch / score.rate():7.2f}  {score.rate():8.1f} {score.rate(20):6.1f} "
            f"{score.rate(80):6.1f}  {score.rate() / best_torch:14.2f}  {score.peak_memory_mb:7.0f}  "
            f"{score.rate() / bounds[score.name]:11.0%}  "
            f"{score.first_step:8.1f} s"
        )
    for score in scores:
        if score.failure:
            print(f"{score.name:32}  did not run: {score.failure}")


def print_losses(scores: list[Score]) -> None:
    """The losses of the first steps, a column a contestant."""
    able = [score for score in scores if not score.failure]
    print("step  " + "  ".join(f"{score.name:>32}" for score in able))
    for k in range(COMPARED):
        print(f"{k + 1:4}  " + "  ".join(f"{score.losses[k]:32.6f}" for score in able))


def versions() -> dict[str, str | None]:
    """Of everything that takes part."""
    found: dict[str, str | None] = {}
    for package in ("tinydnn", "numpy", "numba", "torch", "cupy-cuda13x", "cupy-cuda12x"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def rates(device: str, threads: int) -> tuple[dict[str, Any], dict[str, float], float, str]:
    """For the results file; GFLOP/s by precision; GB/s of a GPU's copies, 0 for the CPU; and where, for people."""
    if device == "cpu":
        found = peaks()
        return {"peaks": asdict(found)}, {"fp32": found.gflops}, 0.0, f"{machine().cpu}, {threads} threads"
    from tinydnn.backend import check_device
    from tinydnn.bench.gpu import gpu, gpu_peaks

    check_device(device)
    measured = {precision: gpu_peaks(precision=precision) for precision in ("fp32", "tf32")}
    import cupy

    cupy.get_default_memory_pool().free_all_blocks()
    by_precision = {precision: asdict(found) for precision, found in measured.items()}
    gflops = {precision: found.gflops for precision, found in measured.items()}
    return {"gpu": asdict(gpu()), "peaks": by_precision}, gflops, measured["fp32"].gbytes, gpu().name


def main() -> int:
    """Compete at each batch size; 1 where losses do not agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", default="32,128", help="batch sizes, with commas between them")
    parser.add_argument("--size", type=int, default=256, help="pixels along each side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", help="contestants, with commas between them; all of the device where not given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of steps, for each contestant in each round")
    parser.add_argument("--json", type=Path, help="a file for the results")
    options = parser.parse_args()
    raise_core_type()
    set_thread_count(options.threads)

    everybody = TINYDNN_CUDA + TORCH_CUDA if options.device == "cuda" else TINYDNN + TORCH
    names = options.only.split(",") if options.only else list(everybody)
    batches = [int(batch) for batch in options.batch.split(",")]
    flops, agreed = step_flops(options.size), True
    device, peak, copied, where = rates(options.device, options.threads)
    bounds = {name: bounds_of(peak, flops, name) for name in names}
    bound = bounds[names[0]]
    print(f"{where}; matrix products at " + ", ".join(f"{rate:.0f} GFLOP/s ({name})" for name, rate in peak.items()))
    print(f"{flops / 1e9:.3f} GFLOP for an image, so {bound:.0f} images/s are the arithmetic bound of {names[0]}")
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
        apart, agree = agreement(scores)
        agreed &= agree
        print(f"largest relative difference {apart:.1e}: {'agree' if agree else 'DO NOT AGREE'}\n")
        print_table(scores, bounds)
        memory = copied * 1e9 / step_bytes(options.size, batch) if copied else None
        if memory:
            print(f"memory, at {copied:.0f} GB/s as measured, bounds a fused step to {memory:.0f} images/s")
        best_torch = max((one.rate() for one in scores if one.name in OF_TORCH and not one.failure), default=None)
        for score in scores:
            row = score.row()
            if not score.failure:
                row |= {"share_of_bound": score.rate() / bounds[score.name]}
                row |= {"share_of_memory_bound": score.rate() / memory} if memory else {}
                row |= {"ratio_to_best_torch": score.rate() / best_torch if best_torch else None}
            rows.append(row)
    if options.json:
        settings = {"size": options.size, "threads": options.threads, "flops_per_image": flops, "bound": bound}
        about = {"machine": asdict(machine()), **device, "versions": versions(), "settings": settings}
        text = json.dumps({**about, "rows": rows}, indent=1)
        with atomic_write(options.json) as path:
            path.write_text(text + "\n")
    return 0 if agreed else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
