"""`tinydnn explain maximise`: the image that a class or a channel responds to most."""

from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli.display import say
from tinydnn.cli.explain import explain
from tinydnn.cli.images import Model, require_class
from tinydnn.cli.outputs import Overwrite, Picture, require_picture
from tinydnn.cli.progress import progress_bar
from tinydnn.cli.threads import Threads
from tinydnn.errors import InputError


@explain.command(
    "maximise",
    examples=(
        "tinydnn explain maximise runs/real/model.h5",
        "tinydnn explain maximise runs/real/model.h5 --layer 09-conv2d --channel 5 --out channel-5.png",
    ),
)
def maximise(
    model: Model,
    label: Annotated[str | None, typer.Option("--class", help="One class; by default all of them.")] = None,
    layer: Annotated[str | None, typer.Option(help="Instead of a class, a layer, with --channel.")] = None,
    channel: Annotated[int | None, typer.Option(help="Channel of the layer, from 0.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of gradient ascent.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first image and of the shifts.")] = 0,
    out: Picture = Path("maximised.png"),
    overwrite: Overwrite = False,
    threads: Threads = None,
) -> None:
    """Draw the image that a class, or a channel of a layer, responds to most: activation maximisation."""
    import numpy as np

    from tinydnn import plots
    from tinydnn.checkpoint import load_model
    from tinydnn.explain.feature_maps import layers_up_to
    from tinydnn.explain.maximise import maximise as ascend

    if (layer is None) != (channel is None) or (layer is not None and label is not None):
        given = {"--class": label, "--layer": layer, "--channel": channel}
        found = " and ".join(option for option, value in given.items() if value is not None)
        wanted = "expected a class, or a layer with a channel"
        raise InputError(f"--class, --layer, --channel: {wanted}, found {found}")
    require_picture(out, overwrite=overwrite)
    saved = load_model(model)
    require_class(label, saved)
    if layer is not None and channel is not None:
        network, targets = layers_up_to(saved.model, layer), {f"{layer}, channel {channel}": channel}
    else:
        known = saved.class_names
        network, targets = saved.model, {name: known.index(name) for name in ([label] if label else known)}
    black, white = (saved.normalise(np.full((1, 1, 1, 1), pixel, np.uint8))[0, :, 0, 0] for pixel in (0, 255))
    results = {}
    with progress_bar("Maximising") as progress:
        for name, index in targets.items():
            results[name] = ascend(network, index, black=black, white=white, steps=steps, seed=seed)
            progress(len(results), len(targets))
    for name, result in results.items():
        say(f"{name}: score {result.scores[0]:.2f} at first, {result.scores[-1]:.2f} after {steps} steps")
    note = "Grey images, by gradient ascent from noise. They show what raises the score, not what a slice looks like."
    plots.save(plots.maximised(results=results, title=f"{model.name}, {steps} steps, seed {seed}", note=note), out)
    say(f"Picture: {out}")
