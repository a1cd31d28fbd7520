"""Single operations on the shapes of the baseline network's layers: every implementation against PyTorch.

    python benchmarks/ops.py [--batch 8] [--threads 2] [--json F]

Timed as in `tinydnn bench`, with PyTorch as one more contestant: forward and backward separately, cold caches, shuffled
order. Before each timed run the caches are filled with other data, which also gives PyTorch's threads, which spin after
their work, time to sleep.
"""

import argparse
import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

import tinydnn.kernels  # noqa: F401 - registers the implementations
from tinydnn.bench.comparison import make_pass
from tinydnn.bench.costs import bench_case, costs
from tinydnn.bench.machine import machine
from tinydnn.bench.timing import Pass, measure
from tinydnn.cli.start import raise_core_type
from tinydnn.gradcheck.cases import Case
from tinydnn.kernels.cpu.threads import set_thread_count
from tinydnn.storage import atomic_write

BLOCKS = ((1, 16, 256), (16, 32, 128), (32, 64, 64), (64, 128, 32))  # input and output channels, image size


def torch_pass(case: Case, layout: Any) -> Pass:
    """The operation in PyTorch, in a memory layout, with gradients of all arguments."""
    tensors = [torch.tensor(x, dtype=torch.float32) for x in case.arrays() if x is not None]
    tensors = [x.contiguous(memory_format=layout) if x.ndim == 4 else x for x in tensors]
    leaves = [x.requires_grad_() for x in tensors]

    def run() -> tuple[Any, Any]:
        if case.operation == "linear":
            z = functional.linear(*leaves)
        else:
            z = functional.conv2d(*leaves, padding=case.options["padding"])
            if case.operation == "conv2d_relu_maxpool2d":
                z = functional.max_pool2d(functional.relu(z, inplace=True), 2)
        return z.detach().numpy(), lambda: torch.autograd.grad(z, leaves, torch.ones_like(z))

    return run


def contest(case: Case, seconds: float) -> list[dict[str, Any]]:
    """The times of all implementations that support the case, fastest first."""
    arrays = [x if x is None else x.astype(np.float32) for x in case.arrays()]
    names = [name for name in case.implementations() if name != "loops"]
    passes = {f"tinydnn {name}": make_pass(case, name, arrays) for name in names}
    passes["torch nchw"] = torch_pass(case, torch.contiguous_format)
    if case.operation != "linear":
        passes["torch channels-last"] = torch_pass(case, torch.channels_last)
    forward, backward = costs(case, "float32")
    rows = [
        {
            "operation": case.operation,
            "shapes": case.shapes,
            "name": name,
            "forward_ms": 1e3 * timing.forward.median,
            "backward_ms": 1e3 * timing.backward.median,
            "forward_gflops": forward.flops / timing.forward.median / 1e9,
            "backward_gflops": backward.flops / timing.backward.median / 1e9,
            "noise": max(timing.forward.noise, timing.backward.noise),
        }
        for name, timing in measure(passes, seconds=seconds).items()
    ]
    return sorted(rows, key=lambda row: row["forward_ms"] + row["backward_ms"])


def main() -> None:
    """Time all layers, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0, help="per contestant and layer")
    parser.add_argument("--json", type=Path, help="JSON file for the results")
    options = parser.parse_args()
    raise_core_type()
    set_thread_count(options.threads)
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", category=UserWarning)
    cases = [
        bench_case(operation, ((options.batch, c, size, size), (o, c, 3, 3)))
        for operation in ("conv2d", "conv2d_relu_maxpool2d")
        for c, o, size in BLOCKS
    ]
    cases.append(bench_case("linear", ((options.batch, 32768), (128, 32768))))
    rows: list[dict[str, Any]] = []
    for case in cases:
        print(f"\n{case.operation} of {', '.join('x'.join(map(str, shape)) for shape in case.shapes if shape)}")
        print(f"{'':24} forward ms  backward ms  GFLOP/s")
        for row in contest(case, options.seconds):
            gflops = f"{row['forward_gflops']:.0f}, {row['backward_gflops']:.0f}"
            print(f"{row['name']:24} {row['forward_ms']:10.3f} {row['backward_ms']:12.3f}  {gflops}")
            rows.append(row)
    if options.json:
        about = {"machine": asdict(machine()), "torch": torch.__version__, "threads": options.threads}
        with atomic_write(options.json) as path:
            path.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
