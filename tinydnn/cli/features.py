"""`tinydnn features`: the features that a published network computes from each slice, as a file."""

from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli import choices
from tinydnn.cli.app import app
from tinydnn.cli.display import describe, say, say_skipped
from tinydnn.cli.outputs import Overwrite, require_output
from tinydnn.cli.progress import progress_bar
from tinydnn.cli.threads import Threads


@app.command(examples=("tinydnn features figshare --from vgg16 --out features.h5",))
def features(
    data: choices.Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write, NAME.h5.")],
    model: Annotated[str, typer.Option("--from", help="vgg16, alexnet or squeezenet1_1.")] = "vgg16",
    weights: Annotated[Path | None, typer.Option(help="File of its weights; by default the downloaded one.")] = None,
    layer: Annotated[str, typer.Option(help="The last layer to compute; features: the whole trunk.")] = "features",
    size: choices.Size = 128,
    crop: choices.Crop = "none",
    margin: choices.Margin = 0.2,
    skip_broken: choices.SkipBroken = False,
    overwrite: Overwrite = False,
    threads: Threads = None,
) -> None:
    """Compute the features of all slices of DATA with a published network, and write them to a file."""
    from tinydnn.data.crop import Crop
    from tinydnn.data.dataset import Dataset
    from tinydnn.data.prepare.cache import prepared
    from tinydnn.models import NETWORKS
    from tinydnn.runs.declarations import require_choice
    from tinydnn.training.features import feature_shape, write_features
    from tinydnn.weights import downloaded, load, read

    require_choice("from", model, NETWORKS)
    require_output(out, overwrite=overwrite)
    trunk = NETWORKS[model].trunk(image_size=size)
    source = read(weights or downloaded(model))
    say(f"Weights: {source.path}, {load(trunk, source, module='features')}")
    prefix, _ = trunk.split_at(trunk.end_of(layer))
    cropping = Crop(crop, margin)
    with progress_bar("Preparing slices") as progress:
        dataset = Dataset.open(prepared(data, size=size, crop=cropping, skip_broken=skip_broken, progress=progress))
    say_skipped(dataset)
    with progress_bar("Computing features") as progress:
        write_features(out, dataset, prefix, source.preprocessing, progress=progress)
    shape = " x ".join(map(str, feature_shape(dataset, prefix, source.preprocessing, "cpu")))
    say(f"{describe(dataset)}: {shape} features each, after {prefix.names[-1]}, in {out}")
