"""`tinydnn download`: download the published brain-tumour dataset."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from tinydnn.cli.app import app
from tinydnn.cli.display import console, say


@app.command()
def download(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the files.")]) -> None:
    """Download the published dataset (880 MB) into DIR. If interrupted, run the same command again to resume."""
    from tinydnn.data.read.download import ARTICLE, FILES
    from tinydnn.data.read.download import download as fetch

    with Progress(
        TextColumn("Downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=None)
        fetch(folder, progress=lambda done, total: bar.update(task, completed=done, total=total))
    say(f"{len(FILES)} files of {ARTICLE}, with verified checksums, are in {folder}")
    say("Jun Cheng, brain tumor dataset, figshare, CC BY 4.0: cite the source if you use the data.")
    say(f"Train on them with: tinydnn train {folder}")
