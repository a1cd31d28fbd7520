"""`tinydnn prepare`: convert slices once into the file that training streams from."""

from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli import choices
from tinydnn.cli.app import app
from tinydnn.cli.display import describe, say, say_skipped
from tinydnn.cli.outputs import Overwrite, require_output
from tinydnn.cli.progress import progress_bar


@app.command(examples=("tinydnn prepare figshare --size 128 --out slices-128.h5",))
def prepare(
    data: Annotated[Path, typer.Argument(help="Folder of .mat files, zips or image folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, NAME.h5.")],
    size: choices.Size = 256,
    crop: choices.Crop = "none",
    margin: choices.Margin = 0.2,
    skip_broken: choices.SkipBroken = False,
    overwrite: Overwrite = False,
) -> None:
    """Convert DATA into one prepared file. If interrupted, run the same command again to resume."""
    import numpy as np

    from tinydnn.data.crop import Crop
    from tinydnn.data.dataset import Dataset
    from tinydnn.data.prepare import prepare as prepare_source
    from tinydnn.data.read import open_source

    require_output(out, overwrite=overwrite)
    cropping = Crop(crop, margin)
    with open_source(data) as source, progress_bar("Preparing slices") as progress:
        prepare_source(source, out, size=size, crop=cropping, skip_broken=skip_broken, progress=progress)
    dataset = Dataset.open(out)
    say(f"{describe(dataset)}, {size} x {size} pixels, in {out}")
    counts = np.bincount(dataset.labels, minlength=len(dataset.class_names))
    say(", ".join(f"{name} {count}" for name, count in zip(dataset.class_names, counts, strict=True)))
    say_skipped(dataset)
