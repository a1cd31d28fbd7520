"""The time of a training like the paper's on a GPU: 190 iterations of 128 slices of 256 x 256 pixels.

    python benchmarks/time_to_accuracy.py [DATA] [--precision tf32] [--json F]

DATA is a dataset as for `tinydnn train`; by default phantoms. The time is the sum over all steps, with the loss read
after each, as in `tinydnn train`; validations are not timed. Training runs twice: cold, with the compilation and the
capture of the first steps, and again from the start, warm.
"""

import argparse
import json
import sys
from dataclasses import asdict
from itertools import islice
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

from tinydnn.backend import use_device
from tinydnn.bench.gpu import gpu
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare import cache
from tinydnn.data.split import split
from tinydnn.errors import InputError
from tinydnn.models import baseline_cnn
from tinydnn.runs import Options
from tinydnn.storage import atomic_write
from tinydnn.training.protocol import Protocol, Step
from tinydnn.training.trainer import Trainer

PHANTOMS, SEED = 320, 0


def train(dataset: Dataset, options: Options, iterations: int) -> dict[str, Any]:
    """Train for `iterations`: the seconds of the steps, the losses and the held-out accuracy."""
    parts = split(dataset.labels, dataset.patients, by="slice", test_fraction=options.test_fraction, seed=SEED)
    model = baseline_cnn(image_size=dataset.size, classes=len(dataset.class_names), seed=SEED)
    model.to(options.device)
    protocol = Protocol(
        parts.train,
        parts.test,
        batch_size=options.batch_size,
        epochs=ceil(iterations / (len(parts.train) // options.batch_size)),
        seed=SEED,
        device=options.device,
        precision=options.precision,
    )
    optimizer, schedule = options.make_optimizer(model.parameters()), options.make_schedule(iterations)
    trainer = Trainer(model, optimizer, schedule, dataset, Normalisation.fit(dataset, parts.train), protocol)
    steps = list(islice((record for record in trainer.run() if isinstance(record, Step)), iterations))
    seconds = sum(step.seconds for step in steps)
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
    """Train twice in each precision, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", help="dataset, as for `tinydnn train`; by default phantoms")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", default="tf32,fp32", help="fp32, tf32 or both, separated by a comma")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--iterations", type=int, default=190)
    parser.add_argument("--json", type=Path, help="JSON file for the results, written anew after each row")
    args = parser.parse_args()
    use_device(args.device)
    source = args.data or cache.phantoms(PHANTOMS, size=args.size)
    dataset = Dataset.open(cache.prepared(source, size=args.size))
    rows: list[dict[str, Any]] = []
    for precision in args.precision.split(","):
        options = Options(batch_size=args.batch, size=args.size, device=args.device, precision=precision)
        for start in ("cold", "warm"):
            row = {"precision": precision, "start": start, **train(dataset, options, args.iterations)}
            rows.append(row)
            print(
                f"{precision}, {start}: {args.iterations} iterations of {args.batch} in {row['seconds']:.3f} s, "
                f"{row['images_per_s']:.0f} images/s; loss {row['first_loss']:.3f} to {row['last_loss']:.3f}, "
                f"{row['held_out_accuracy']:.1%} of {row['held_out_slices']} held-out slices correct"
            )
            if args.json:
                about = {
                    "gpu": asdict(gpu()),
                    "synthetic": dataset.synthetic,
                    "slices": len(dataset),
                    "size": args.size,
                }
                with atomic_write(args.json) as path:
                    path.write_text(json.dumps({**about, "batch": args.batch, "rows": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
