"""`tinydnn weights`: download published weights, and list the contents of a file."""

from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli.app import app
from tinydnn.cli.display import say
from tinydnn.cli.help import Program
from tinydnn.cli.progress import download_bar
from tinydnn.words import count

weights = Program(help="Download published weights, or list the contents of a file.")
app.add_typer(weights, name="weights")


@weights.command(examples=("tinydnn weights download vgg16",))
def download(
    network: Annotated[str, typer.Argument(help="vgg16, alexnet or squeezenet1_1.")],
    folder: Annotated[Path | None, typer.Option("--to", help="Folder for the file; by default a cache.")] = None,
) -> None:
    """Download the weights that torchvision publishes. If interrupted, run the same command again to resume."""
    from tinydnn.weights import download as fetch
    from tinydnn.weights.published import LICENCE

    with download_bar() as progress:
        path = fetch(network, folder, progress=progress)
    say(f"{path}, verified. Licence: {LICENCE}.")
    say(f"Use it with: tinydnn finetune DATA --from {network}" + ("" if folder is None else f" --weights {path}"))


@weights.command(examples=("tinydnn weights show model.safetensors",))
def show(
    file: Annotated[Path, typer.Argument(help="safetensors, .pth, Keras's HDF5, or a tinydnn model or checkpoint.")],
) -> None:
    """List name, shape and dtype of each array in a file of weights, and the normalisation of images."""
    from tinydnn.weights import read

    source = read(file)
    width = max(map(len, source.arrays), default=0)
    for name, array in source.arrays.items():
        say(f"{name:{width}}  {' x '.join(map(str, array.shape)) or 'scalar'}  {array.dtype}")
    elements = sum(array.size for array in source.arrays.values())
    say(f"{count(len(source.arrays), 'array')}, {elements:,} elements; {_names(source.convention)}")
    say(f"Images: {source.preprocessing}")


def _names(convention: str) -> str:
    """How the arrays are named: as in tinydnn's own files, or as in torchvision whatever the file's names are."""
    own = convention in ("torchvision", "tinydnn")
    return f"names as in {convention}" if own else f"names as in torchvision, translated from those of {convention}"
