"""How long the paper's training takes on a GPU: 190 iterations of 128 slices of 256 x 256 pixels, data on the device.

    python benchmarks/time_to_accuracy.py [DATA] [--precision tf32] [--json F]

DATA is what `tinydnn train` takes; phantoms where it is not given. The time is that from the first step to the end of
the last one, losses read after every step, as `tinydnn train` reads them; once with all that the first steps of a
process compile and capture, once more from the start without. What is held out is looked at after that time, once.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from tinydnn.backend import check_device, use_device
from tinydnn.bench.gpu import gpu
from tinydnn.data.batches import epoch_batches
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare import cache
from tinydnn.data.split.holdout import split
from tinydnn.errors import InputError
from tinydnn.models import baseline_cnn
from tinydnn.runs import Options
from tinydnn.storage import atomic_write
from tinydnn.training.trainer import Trainer

PHANTOMS, SEED = 320, 0


def train(dataset: Dataset, options: Options, iterations: int) -> dict[str, Any]:
    """Train from the start; seconds, and what came of it."""
    parts = split(dataset.labels, dataset.patients, by="slice", test_fraction=options.test_fraction, seed=SEED)
    model = baseline_cnn(image_size=dataset.size, classes=len(dataset.class_names), seed=SEED)
    model.to(options.device)
    trainer = Trainer(
        model, options.make_optimizer(model.parameters()), options.make_schedule(iterations), dataset,
        Normalisation.fit(dataset, parts.train), train=parts.train, watch=parts.test, batch_size=options.batch_size,
        epochs=-(-iterations * options.batch_size // len(parts.train)), seed=SEED, device=options.device,
        precision=options.precision,
    )  # fmt: skip
    batches: list[Any] = []
    while len(batches) < iterations:
        epoch = len(batches) // trainer.iterations_per_epoch
        batches += epoch_batches(parts.train, options.batch_size, seed=SEED, epoch=epoch)
    start = perf_counter()
    steps = list(trainer.steps(batches[:iterations], epoch=0))
    seconds = perf_counter() - start
    held_out = trainer.validate()
    return {
        "seconds": seconds,
        "median_step_s": median(step.seconds for step in steps),
        "images_per_s": iterations * options.batch_size / seconds,
        "first_loss": steps[0].loss,
        "last_loss": steps[-1].loss,
        "held_out_accuracy": held_out.accuracy,
        "held_out_slices": len(parts.test),
    }


def main() -> int:
    """Train twice in each precision, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", help="what `tinydnn train` takes; phantoms where not given")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", default="tf32,fp32", help="fp32, tf32, or both with a comma between them")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--iterations", type=int, default=190)
    parser.add_argument("--json", type=Path, help="a file for the results")
    asked = parser.parse_args()
    use_device(check_device(asked.device))
    source = asked.data or cache.phantoms(PHANTOMS, size=asked.size)
    dataset = Dataset.open(cache.prepared(source, size=asked.size))
    rows = []
    for precision in asked.precision.split(","):
        options = Options(batch_size=asked.batch, size=asked.size, device=asked.device, precision=precision)
        for start in ("cold", "warm"):
            row = {"precision": precision, "start": start, **train(dataset, options, asked.iterations)}
            rows.append(row)
            print(
                f"{precision}, {start}: {asked.iterations} iterations of {asked.batch} in {row['seconds']:.3f} s, "
                f"{row['images_per_s']:.0f} images/s; loss {row['first_loss']:.3f} to {row['last_loss']:.3f}, "
                f"{row['held_out_accuracy']:.1%} of {row['held_out_slices']} held-out slices right"
            )
    if asked.json:
        about = {"gpu": asdict(gpu()), "synthetic": dataset.synthetic, "slices": len(dataset), "size": asked.size}
        with atomic_write(asked.json) as path:
            path.write_text(json.dumps({**about, "batch": asked.batch, "rows": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
