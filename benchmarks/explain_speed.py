"""Time of every method of explanation per slice: tinydnn against Captum on PyTorch.

    python benchmarks/explain_speed.py [--size 256] [--threads 2] [--rounds 5] [--json F]

Every contestant runs in a process of its own, one at a time, in turns: the baseline network without dropout, from the
same weights on the same phantoms, with the same number of threads. First, the explanations must agree (SmoothGrad's
noise differs); then they are timed. Methods of many passes explain 4 slices at once, the others 32; both libraries run
32 changed copies at a time. Also prints what 32 steps of integrated gradients cost in training steps (forward and
backward pass, both on 32 slices), and the time of Grad-CAM for 490 slices.
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from arena import Contestant
from explain_contestants import CONTESTANTS, MAPS, PATHS, STEPS, TRAINING
from train_step import versions, write_start

from tinydnn.bench.machine import machine
from tinydnn.storage import atomic_write

MANY, FEW = 32, 4  # slices at once
WORK = {
    "saliency": MANY, "gradient-x-input": MANY, "guided-backprop": MANY, "grad-cam": MANY, "grad-cam++": MANY,
    "layer-cam": MANY, "smooth-grad": FEW, "integrated-gradients": FEW, "occlusion": FEW, "rise": FEW,
}  # fmt: skip
AGREEMENT, OTHER_NOISE = 3e-2, {"smooth-grad"}
SLICES = 490

EXTRA = {PATHS: MANY, TRAINING: MANY, MAPS: SLICES}

Times = dict[tuple[str, str], list[float]]  # by contestant and work


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """‖ours − theirs‖ / ‖theirs‖: few pixels differ by more where rounding changes the argmax of a pooling window."""
    return float(np.linalg.norm(ours.reshape(theirs.shape) - theirs) / np.linalg.norm(theirs))


def check(contestants: dict[str, Contestant], folder: Path) -> dict[str, float]:
    """Explain one slice with each method in all contestants: the largest difference from tinydnn, by method."""
    apart: dict[str, float] = {}
    for method in WORK:
        saved = {}
        for name, contestant in contestants.items():
            path = folder / f"{name}-{method}.npy"
            if contestant.ask({"method": method, "images": 1, "save": str(path)})["seconds"] is not None:
                saved[name] = np.load(path)
        ours = saved.pop("tinydnn")
        if saved and method not in OTHER_NOISE:
            apart[method] = max(difference(ours, theirs) for theirs in saved.values())
    return apart


def race(contestants: dict[str, Contestant], rounds: int, slices: dict[str, int]) -> Times:
    """The seconds of each call, in turns. Work that a contestant does not have is left out."""
    times: Times = defaultdict(list)
    for _ in range(rounds):
        for work, images in slices.items():
            for name, contestant in contestants.items():
                seconds = contestant.ask({"method": work, "images": images})["seconds"]
                if seconds is not None:
                    times[name, work].append(seconds)
    return times


def row(method: str, images: int, times: Times) -> dict[str, Any]:
    """The median milliseconds per slice of each contestant, and how many times as fast as Captum's best tinydnn is."""
    ms = {name: 1000 * median(times[name, method]) / images for name in CONTESTANTS if (name, method) in times}
    best = min((value for name, value in ms.items() if name != "tinydnn"), default=None)
    return {"method": method, "images": images, "ms": ms, "ratio": best / ms["tinydnn"] if best else None}


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print a line for each method."""
    print(f"\n{'ms per slice':22}" + "".join(f"{name:>22}" for name in CONTESTANTS) + "  x best of Captum")
    for line in rows:
        cells = [f"{line['ms'][name]:22.2f}" if name in line["ms"] else f"{'-':>22}" for name in CONTESTANTS]
        print(f"{line['method']:22}{''.join(cells)}  {line['ratio'] or float('nan'):16.2f}")


def main() -> int:
    """Check, race, print, and write the results; return 1 if the explanations do not agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="pixels along each side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fewer", type=int, default=1, help="divide the numbers of slices by this, for a trial")
    parser.add_argument("--json", type=Path, help="JSON file for the results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start.npz"
        write_start(start, MANY, options.size)
        contestants = {
            name: Contestant(name, MANY, options.size, options.threads, start, script="explain_contestants.py")
            for name in CONTESTANTS
        }
        try:
            apart = check(contestants, Path(folder))
            slices = {work: max(1, images // options.fewer) for work, images in {**WORK, **EXTRA}.items()}
            times = race(contestants, options.rounds, slices)
        finally:
            for contestant in contestants.values():
                contestant.close()
    agreed = max(apart.values()) <= AGREEMENT
    print(f"relative differences of one explanation: {'agree' if agreed else 'DO NOT AGREE'}")
    for method, apart_by in apart.items():
        print(f"  {method:22} {apart_by:.1e}")
    rows = [row(method, slices[method], times) for method in WORK]
    print_table(rows)
    steps = median(times["tinydnn", PATHS]) / median(times["tinydnn", TRAINING])
    test_set = median(times["tinydnn", MAPS])
    print(f"\n{STEPS} steps of integrated gradients cost {steps:.2f} times {STEPS} training steps")
    print(f"Grad-CAM of {slices[MAPS]} slices: {test_set:.1f} s")
    if options.json:
        settings = {"size": options.size, "threads": options.threads, "rounds": options.rounds}
        about = {"machine": asdict(machine()), "versions": versions(), "settings": settings, "differences": apart}
        figures = {
            "rows": rows,
            "integrated_gradients_in_steps": steps,
            "grad_cam": {"slices": slices[MAPS], "seconds": test_set},
        }
        with atomic_write(options.json) as path:
            path.write_text(json.dumps({**about, **figures}, indent=1) + "\n")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
