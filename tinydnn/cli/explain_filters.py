"""`tinydnn explain filters`: the learned filters of a convolution."""

from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli.display import say
from tinydnn.cli.explain import explain
from tinydnn.cli.images import Model
from tinydnn.cli.outputs import Overwrite, Picture, require_picture
from tinydnn.words import count


@explain.command(
    "filters",
    examples=(
        "tinydnn explain filters runs/real/model.h5",
        "tinydnn explain filters runs/real/model.h5 --layer 03-conv2d --out second.png",
    ),
)
def filters(
    model: Model,
    layer: Annotated[str | None, typer.Option(help="A convolution; by default the first.")] = None,
    out: Picture = Path("filters.png"),
    overwrite: Overwrite = False,
) -> None:
    """Draw the learned filters of a convolution."""
    from tinydnn import plots
    from tinydnn.checkpoint import load_model
    from tinydnn.explain.learned_filters import convolutions, learned_filters, strongest_inputs

    require_picture(out, overwrite=overwrite)
    network = load_model(model).model
    weights = learned_filters(network, layer)
    outputs, inputs, height, width = weights.shape
    name = layer or next(name for name, _ in convolutions(network))
    title = f"layer {name}: {count(outputs, 'filter')} of {height} × {width} over {count(inputs, 'input channel')}"
    plots.save(plots.filters(weights=weights, inputs=strongest_inputs(weights), title=title), out)
    say(f"{model}: {title}, in {out}")
