"""Ten epochs on real slices: `tinydnn train` against PyTorch doing the same work.

    python benchmarks/ten_epochs.py DATA [--before SECONDS] [--json F]

Both begin with DATA as it was published, in a process of its own: tinydnn prepares it, PyTorch gets the slices that
tinydnn has prepared, normalised and split, for nothing. Then ten epochs of batches of 128 with a validation after each,
the same slices in the same order. PyTorch runs channels-last, the fastest of its variants in `train_step.py`.
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

from tinydnn.bench.machine import machine
from tinydnn.storage import atomic_write

EPOCHS, BATCH, RATE, SEED = 10, 128, 0.02, 0


def run_tinydnn(data: str, folder: Path, threads: int) -> dict[str, Any]:
    """The program as a user starts it, with an empty cache."""
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
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    seconds = perf_counter() - begin
    return {"name": "torch eager channels-last", "seconds": seconds, "accuracy": float(done.stdout.split()[-1])}


def train_with_torch(data: str, threads: int) -> float:
    """The same network, split, batches, rates and validations; returns the accuracy on the held-out slices."""
    import torch
    from torch import nn

    from tinydnn.data.batches import epoch_batches
    from tinydnn.data.dataset import Dataset
    from tinydnn.data.normalise import Normalisation
    from tinydnn.data.prepare import cache
    from tinydnn.data.split.holdout import split
    from tinydnn.optim import one_cycle

    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    dataset = Dataset.open(cache.prepared(data))
    parts = split(dataset.labels, dataset.patients, by="slice", seed=SEED)
    normalise = Normalisation.fit(dataset, parts.train)

    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(128 * 16 * 16, 128), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(128, 3)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    with torch.no_grad():
        layers[-1].weight *= 0.1
    model = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9, fused=True)
    loss_of = nn.CrossEntropyLoss()
    rate = one_cycle(RATE, iterations=EPOCHS * (len(parts.train) // BATCH))

    def load(indices: Any) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.from_numpy(normalise(dataset.read(indices))).contiguous(memory_format=torch.channels_last)
        return x, torch.from_numpy(dataset.labels[indices])

    iteration, accuracy = 0, 0.0
    for epoch in range(EPOCHS):
        model.train()
        for indices in epoch_batches(parts.train, BATCH, seed=SEED, epoch=epoch):
            x, y = load(indices)
            for group in optimizer.param_groups:
                group["lr"] = rate(iteration)
            loss = loss_of(model(x), y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            iteration += 1
        model.eval()
        right = 0
        with torch.no_grad():
            for start in range(0, len(parts.test), 32):
                x, y = load(parts.test[start : start + 32])
                right += int((model(x).argmax(dim=1) == y).sum())
        accuracy = right / len(parts.test)
    return accuracy


def main() -> None:
    """Run both, print and write what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a folder of .mat files, their zips, or a prepared file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--before", type=float, help="seconds that an earlier version took, for the record")
    parser.add_argument("--json", type=Path, help="a file for the results")
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
