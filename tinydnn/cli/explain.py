"""`tinydnn explain`: show why a model answers as it does."""

from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli.app import app
from tinydnn.cli.display import say
from tinydnn.cli.help import Program

explain = Program(
    help="Show why a model answers as it does.", default="images", subcommand_metavar="MODEL IMAGE... | COMMAND ..."
)
app.add_typer(explain, name="explain")


@explain.command(hidden=True, examples=("tinydnn explain runs/real/model.h5 slice.png",))
def images(
    model: Annotated[Path, typer.Argument(help="The model.h5 of a run.")],
    images: Annotated[list[Path], typer.Argument(help="Images (.mat, PNG or JPEG), or folders of images.")],
) -> None:
    """Explain the predicted class of each image."""
    say(f"{model} {images}")
