"""`tinydnn explain maps`: the feature maps of a layer."""

from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli.display import say
from tinydnn.cli.explain import explain
from tinydnn.cli.images import Model
from tinydnn.cli.outputs import Overwrite, Picture, require_picture
from tinydnn.words import count


@explain.command(
    "maps",
    examples=(
        "tinydnn explain maps runs/real/model.h5 slice.png --layer 04-relu",
        "tinydnn explain maps squeezenet.h5 slice.mat --layer features.3/squeeze --out maps.png",
    ),
)
def maps(
    model: Model,
    image: Annotated[Path, typer.Argument(help="A .mat, PNG or JPEG image.")],
    layer: Annotated[str, typer.Option(help="Name of the layer; of one inside another: outer/inner.")],
    out: Picture = Path("feature-maps.png"),
    overwrite: Overwrite = False,
) -> None:
    """Draw the feature maps of a layer for an image, a tile for each channel."""
    from tinydnn import plots
    from tinydnn.checkpoint import load_model
    from tinydnn.checkpoint.images import prepare_image
    from tinydnn.explain.feature_maps import feature_maps

    require_picture(out, overwrite=overwrite)
    saved = load_model(model)
    prepared = prepare_image(saved, image, with_mask=True)
    found = feature_maps(saved.model, prepared.x, layer)[0]
    channels, height, width = found.shape
    title = f"layer {layer}: {count(channels, 'channel')} of {height} × {width}"
    note = "" if prepared.mask is None else "The outline is the tumour mask."
    drawn = plots.feature_maps(
        image=prepared.pixels, maps=found, mask=prepared.mask, title=f"{image.name}, {title}", note=note
    )
    plots.save(drawn, out)
    dead = int((abs(found).max(axis=(1, 2)) == 0).sum())
    say(f"{image}: {title}, {dead} of them 0 everywhere, in {out}")
