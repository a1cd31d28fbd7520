"""How time and memory of tinydnn grow: with the batch, with the picture, with the number of slices.

    python benchmarks/scaling.py [--threads 2] [--json F] [--plot F]

A process of its own for each point. Training steps as in `train_step.py`; slices as `tinydnn train` reads them:
phantoms, prepared into one file, normalised and read batch by batch.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from arena import Contestant
from contestants import TINYDNN
from train_step import write_start

from tinydnn.bench.machine import machine
from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLUE, VERMILION
from tinydnn.storage import atomic_write

BATCHES, SIZES, SLICES = (8, 16, 32, 64, 128), (32, 64, 128, 256), (100, 200, 400, 800)
BATCH, SIZE, STEPS = 32, 256, 6
READ = """
import sys, tempfile
from pathlib import Path
from time import perf_counter
import numpy as np
sys.path.insert(0, {here!r})
from contestants import peak_memory_mb
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare.convert import prepare
from tinydnn.data.read.sources import open_source
begin = perf_counter()
with open_source(Path({data!r})) as source:
    path = prepare(source, Path({data!r}).parent / "prepared.h5", size=128)
dataset = Dataset.open(path)
normalise = Normalisation.fit(dataset, np.arange(len(dataset)))
for start in range(0, len(dataset), 32):
    normalise(dataset.read(np.arange(start, min(start + 32, len(dataset)))))
print(perf_counter() - begin, peak_memory_mb())
"""


def training(name: str, batch: int, size: int, threads: int) -> dict[str, Any]:
    """Milliseconds of a step, median, and the process's peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start.npz"
        write_start(start, batch, size)
        contestant = Contestant(name, batch, size, threads, start)
        try:
            contestant.steps(2)
            found = contestant.steps(STEPS)
        finally:
            contestant.leave()
    ms = 1e3 * median(found["seconds"])
    return {"name": name, "batch": batch, "size": size, "step_ms": ms, "peak_memory_mb": found["peak_memory_mb"]}


def reading(slices: int) -> dict[str, Any]:
    """Seconds to prepare, normalise and read so many slices once, and the process's peak memory."""
    from tinydnn.data.phantoms import write_phantoms

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "phantoms"
        write_phantoms(data, slices=slices, size=128)
        code = READ.format(here=str(Path(__file__).parent), data=str(data))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, peak = map(float, done.stdout.split())
    return {"slices": slices, "seconds": seconds, "peak_memory_mb": peak}


def draw(path: Path, results: dict[str, list[dict[str, Any]]]) -> None:
    """Three pairs of curves: time above, memory below."""
    columns = (("batch", "batch", "step_ms"), ("size", "size", "step_ms"), ("slices", "slices", "seconds"))
    with canvas.style():
        figure = canvas.new_figure(8.4, 4.6, "How time and memory grow", "Training steps; reading of slices", "")
        for k, (key, x, time) in enumerate(columns):
            for row, (y, label) in enumerate(((time, time.replace("_", ", ")), ("peak_memory_mb", "peak memory, MB"))):
                axes = canvas.axes_at(figure, 0.75 + 2.65 * k, 2.55 - 2.05 * row, 1.9, 1.6)
                names = dict.fromkeys(one.get("name", "tinydnn") for one in results[key])
                for name, colour in zip(names, (BLUE, VERMILION), strict=False):
                    points = [one for one in results[key] if one.get("name", "tinydnn") == name]
                    axes.plot(
                        [one[x] for one in points], [one[y] for one in points], "o-", color=colour, ms=3, label=name
                    )
                axes.set(xlabel=x if row else "", ylim=(0, None))
                axes.set_title(label, size=8.5, loc="left")
                axes.tick_params(labelsize=7.5)
                axes.spines[["top", "right"]].set_visible(False)
                if k == 0 and row == 0:
                    axes.legend(frameon=False, fontsize=7.5)
        canvas.save(figure, path)


def main() -> None:
    """Measure, print, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="a file for the results")
    parser.add_argument("--plot", type=Path, help="a picture of them")
    options = parser.parse_args()
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
    if options.json:
        with atomic_write(options.json) as path:
            path.write_text(json.dumps({"machine": asdict(machine()), **results}, indent=1) + "\n")
    if options.plot:
        draw(options.plot, results)


if __name__ == "__main__":
    main()
