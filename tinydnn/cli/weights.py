"""`tinydnn weights`: fetch published weights, and look into a file of them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from tinydnn.cli.app import app
from tinydnn.cli.display import console, say

weights = typer.Typer(no_args_is_help=True, help="Fetch published weights, or look into a file of them.")
app.add_typer(weights, name="weights")


@weights.command()
def download(
    network: Annotated[str, typer.Argument(help="vgg16, alexnet or squeezenet1_1.")],
    folder: Annotated[Path | None, typer.Option("--to", help="Where the file goes; a cache where not given.")] = None,
) -> None:
    """Fetch the weights that torchvision publishes; stopped at any moment, the same command goes on where it was."""
    from tinydnn.weights import download as fetch
    from tinydnn.weights.published import LICENCE

    with Progress(
        TextColumn("Downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=None)
        path = fetch(network, folder, progress=lambda done, total: bar.update(task, completed=done, total=total))
    say(f"{path}, checked. Licence: {LICENCE}.")
    say(f"Use it with: tinydnn finetune DATA --from {network}" + ("" if folder is None else f" --weights {path}"))


@weights.command()
def show(file: Annotated[Path, typer.Argument(help="safetensors, .pth, Keras's HDF5 or a tinydnn model.")]) -> None:
    """List names and shapes of what a file of weights holds, under the names used here."""
    from tinydnn.weights import read

    found = read(file)
    width = max(map(len, found.arrays), default=0)
    for name, array in found.arrays.items():
        say(f"{name:{width}}  {' x '.join(map(str, array.shape)) or 'one number'}  {array.dtype}")
    numbers = sum(array.size for array in found.arrays.values())
    order, scale = found.preprocessing.order, found.preprocessing.scale
    say(f"{len(found.arrays)} arrays, {numbers:,} numbers; names as in {found.convention}")
    mean, std = (", ".join(f"{one:g}" for one in part) for part in (found.preprocessing.mean, found.preprocessing.std))
    say(f"Pictures: {order}, divided by {scale:g}, minus ({mean}), over ({std})")
