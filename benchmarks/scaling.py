"""Scaling of time and memory with the batch size, the image size and the number of slices.

    python benchmarks/scaling.py [--threads 2] [--json F] [--plot F]

Each point runs in a process of its own: training steps as in `train_step.py`, and the reading of slices as in `tinydnn
train` (`reading.py`), with phantoms that are prepared into one file, normalised and read batch by batch.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from arena import Contestant
from contestants import TINYDNN
from matplotlib.figure import Figure
from train_step import write_start

from tinydnn.bench.machine import machine
from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLUE, VERMILION
from tinydnn.storage import atomic_write

BATCHES, SIZES, SLICES = (8, 16, 32, 64, 128), (32, 64, 128, 256), (100, 200, 400, 800)
BATCH, SIZE, STEPS = 32, 256, 6


def training(name: str, batch: int, size: int, threads: int) -> dict[str, Any]:
    """The median time of a step in milliseconds, and the peak memory of the process."""
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start.npz"
        write_start(start, batch, size)
        contestant = Contestant(name, batch, size, threads, start)
        try:
            contestant.steps(2)
            answer = contestant.steps(STEPS)
        finally:
            contestant.close()
    ms = 1e3 * median(answer["seconds"])
    return {"name": name, "batch": batch, "size": size, "step_ms": ms, "peak_memory_mb": answer["peak_memory_mb"]}


def reading(slices: int) -> dict[str, Any]:
    """The seconds to prepare, normalise and read `slices` phantoms once, and the peak memory of the process."""
    from tinydnn.data.phantoms import write_phantoms

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "phantoms"
        write_phantoms(data, slices=slices, size=128)
        command = [sys.executable, str(Path(__file__).with_name("reading.py")), str(data)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds, peak = map(float, output.split())
    return {"slices": slices, "seconds": seconds, "peak_memory_mb": peak}


def draw(results: dict[str, Any]) -> Figure:
    """Plot three pairs of curves: time above, memory below."""
    columns = (("batch", "step_ms"), ("size", "step_ms"), ("slices", "seconds"))
    labels = {
        "batch": "batch (slices)",
        "size": "side of the slices (pixels)",
        "slices": "number of slices",
        "step_ms": "training step (ms)",
        "seconds": "prepare and read (s)",
        "peak_memory_mb": "peak memory (MB)",
    }
    with canvas.style():
        where = f"{results['machine']['cpu']}, {results['machine']['threads']} threads"
        note = f"{where}; batches of {BATCH} slices of {SIZE} × {SIZE} pixels, where they do not vary."
        figure = canvas.new_figure(8.4, 4.9, "Scaling of time and memory", "Training steps; reading of slices", note)
        panels = figure.subplots(2, 3, sharex="col")
        for k, (x, time) in enumerate(columns):
            for axes, y in zip(panels[:, k], (time, "peak_memory_mb"), strict=True):
                curves: dict[str, list[dict[str, Any]]] = defaultdict(list)
                for point in results[x]:
                    curves[point.get("name", "tinydnn")].append(point)
                for (name, points), colour in zip(curves.items(), (BLUE, VERMILION), strict=False):
                    horizontal, vertical = [point[x] for point in points], [point[y] for point in points]
                    axes.plot(horizontal, vertical, "o-", color=colour, ms=3, label=name)
                axes.set_ylim(0, 1.1 * max(point[y] for point in results[x]))
                axes.set_title(labels[y], size=8.5, loc="left")
                axes.tick_params(labelsize=7.5)
            panels[1, k].set_xlabel(labels[x])
        panels[0, 0].legend(fontsize=7.5)
    return figure


def main() -> None:
    """Measure all points; print, write and plot them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="JSON file for the results")
    parser.add_argument("--plot", type=Path, help=".png, .svg or .pdf file for the plot")
    options = parser.parse_args()
    if options.plot:
        canvas.check_suffix(options.plot, "--plot")
    results: dict[str, list[dict[str, Any]]] = {"batch": [], "size": [], "slices": []}
    for name in TINYDNN:
        results["batch"] += [training(name, batch, SIZE, options.threads) for batch in BATCHES]
        results["size"] += [training(name, BATCH, size, options.threads) for size in SIZES]
    results["slices"] = [reading(slices) for slices in SLICES]
    for rows in results.values():
        print()
        for row in rows:
            print(
                "  ".join(
                    f"{key} {value:.1f}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
                )
            )
    stored = {"machine": asdict(machine()), **results}
    if options.json:
        with atomic_write(options.json) as path:
            path.write_text(json.dumps(stored, indent=1) + "\n")
    if options.plot:
        canvas.save(draw(stored), options.plot)


if __name__ == "__main__":
    main()
