"""A few training steps of the baseline network on a GPU, kernel by kernel, for a profiler or a checker:

    ncu --clock-control none --profile-from-start off python benchmarks/gpu_profile.py
    compute-sanitizer --tool racecheck python benchmarks/gpu_profile.py --batch 2 --size 32

The first steps compile the kernels and allocate memory; a profiler sees the last one only. The images are noise.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from contestants_cuda import tinydnn_run
from networks import tinydnn_cnn

from tinydnn.backend import check_device
from tinydnn.errors import InputError


def main() -> None:
    """Run the steps, and print their losses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=("tf32", "fp32"), default="tf32")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=256, help="pixels along each side")
    options = parser.parse_args()
    check_device("cuda")
    import cupy

    pixels = np.random.default_rng(0).integers(0, 256, (options.batch, 1, options.size, options.size), np.uint8)
    start = {"pixels": pixels, "y": np.arange(options.batch) % 3, "shift": 128.0, "scale": 74.0}
    run, memory = tinydnn_run(
        f"tinydnn {options.precision}", options.batch, options.size, start | tinydnn_cnn(options.size).state()
    )
    losses, _ = run(2)
    cupy.cuda.runtime.profilerStart()
    last, seconds = run(1)
    cupy.cuda.runtime.profilerStop()
    print(f"losses {', '.join(f'{loss:.4f}' for loss in losses + last)}; {memory():.0f} MiB; {1e3 * seconds[0]:.3f} ms")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
