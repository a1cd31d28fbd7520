"""Ten epochs on real slices: `tinydnn train` against PyTorch with the same work.

    python benchmarks/ten_epochs.py DATA [--before SECONDS] [--json F]

Each runs in a process of its own. tinydnn starts from DATA as published and prepares it; PyTorch is given the prepared
slices and the split, untimed. Then both train for ten epochs of batches of 128, with a validation after each, on the
same slices in the same order. PyTorch runs channels-last, its fastest variant in `train_step.py`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

from networks import torch_cnn, torch_training_step

from tinydnn.bench.machine import machine
from tinydnn.storage import atomic_write

EPOCHS, BATCH, LR, SEED = 10, 128, 0.02, 0


def run_tinydnn(data: str, folder: Path, threads: int) -> dict[str, Any]:
    """Run the command `tinydnn train` with an empty cache."""
    command = [sys.executable, "-m", "tinydnn", "train", data, "--out", str(folder / "run"), "--threads", str(threads)]
    begin = perf_counter()
    subprocess.run(command, check=True, env=os.environ | {"TINYDNN_CACHE": str(folder)}, stdout=subprocess.DEVNULL)
    seconds = perf_counter() - begin
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    return {"name": "tinydnn train", "seconds": seconds, "accuracy": metrics["accuracy"]}


def run_torch(data: str, folder: Path, threads: int) -> dict[str, Any]:
    """Run `train_with_torch` in a process of its own."""
    command = [sys.executable, __file__, data, "--torch", "--threads", str(threads)]
    environment = os.environ | {"TINYDNN_CACHE": str(folder), "OMP_NUM_THREADS": str(threads)}
    begin = perf_counter()
    output = subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout
    seconds = perf_counter() - begin
    return {"name": "torch eager channels-last", "seconds": seconds, "accuracy": float(output.split()[-1])}


def train_with_torch(data: str, threads: int) -> float:
    """Train with the same network, split, batches and schedule; returns the held-out accuracy after the last epoch."""
    import torch
    from torch import nn

    from tinydnn.data.batches import epoch_batches
    from tinydnn.data.dataset import Dataset
    from tinydnn.data.normalise import Normalisation
    from tinydnn.data.prepare import cache
    from tinydnn.data.split import split
    from tinydnn.optim import one_cycle

    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    dataset = Dataset.open(cache.prepared(data))
    parts = split(dataset.labels, dataset.patients, by="slice", seed=SEED)
    normalise = Normalisation.fit(dataset, parts.train)

    model = torch_cnn(dataset.size, dropout=0.5)
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    with torch.no_grad():
        model[-1].weight *= 0.1
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9, fused=True)
    schedule = one_cycle(LR, iterations=EPOCHS * (len(parts.train) // BATCH))

    def load(indices: Any) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.from_numpy(normalise(dataset.read(indices))).contiguous(memory_format=torch.channels_last)
        return x, torch.from_numpy(dataset.labels[indices])

    iteration, accuracy = 0, 0.0
    for epoch in range(EPOCHS):
        model.train()
        for indices in epoch_batches(parts.train, BATCH, seed=SEED, epoch=epoch):
            x, y = load(indices)
            for group in optimizer.param_groups:
                group["lr"] = schedule(iteration)
            torch_training_step(model, optimizer, x, y)
            iteration += 1
        model.eval()
        correct = 0
        with torch.no_grad():
            for start in range(0, len(parts.test), 32):
                x, y = load(parts.test[start : start + 32])
                correct += int((model(x).argmax(dim=1) == y).sum())
        accuracy = correct / len(parts.test)
    return accuracy


def main() -> None:
    """Run both; print and write their times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="folder of .mat files, their zips, or a prepared file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--before", type=float, help="seconds of an earlier version, to be included in the results")
    parser.add_argument("--json", type=Path, help="JSON file for the results")
    parser.add_argument("--torch", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        print(train_with_torch(options.data, options.threads))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = [run(options.data, Path(folder), options.threads) for run in (run_tinydnn, run_torch)]
    if options.before:
        rows.append({"name": "tinydnn train, version 0.1.0 before its fast kernels", "seconds": options.before})
    for row in rows:
        accuracy = f", accuracy {row['accuracy']:.1%}" if "accuracy" in row else ""
        print(f"{row['name']}: {row['seconds']:.1f} s{accuracy}, {row['seconds'] / rows[0]['seconds']:.1f} x")
    if options.json:
        with atomic_write(options.json) as path:
            path.write_text(json.dumps({"machine": asdict(machine()), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
