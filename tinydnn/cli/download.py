"""`tinydnn download`: fetch the published brain-tumour set."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from tinydnn.cli.app import app
from tinydnn.cli.display import console, say


@app.command()
def download(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")]) -> None:
    """Fetch the published set (880 MB) into DIR; stopped at any moment, the same command goes on where it was."""
    from tinydnn.data.read.download import ARTICLE, FILES
    from tinydnn.data.read.download import download as fetch

    with Progress(
        TextColumn("Downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=None)
        fetch(folder, progress=lambda done, total: bar.update(task, completed=done, total=total))
    say(f"{len(FILES)} files of {ARTICLE}, checked, are in {folder}")
    say("Jun Cheng, brain tumor dataset, figshare, CC BY 4.0: name the source where you use it.")
    say(f"Train on them with: tinydnn train {folder}")
