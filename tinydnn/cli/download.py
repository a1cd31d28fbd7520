"""`tinydnn download`: download the published brain-tumour dataset."""

from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli.app import app
from tinydnn.cli.display import say
from tinydnn.cli.progress import download_bar


@app.command(examples=("tinydnn download figshare",))
def download(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the files.")]) -> None:
    """Download the published dataset (880 MB) into DIR. If interrupted, run the same command again to resume."""
    from tinydnn.data.read.download import ARTICLE, FILES
    from tinydnn.data.read.download import download as fetch

    with download_bar() as progress:
        fetch(folder, progress=progress)
    say(f"{len(FILES)} files of {ARTICLE}, with verified checksums, are in {folder}")
    say("Jun Cheng, brain tumor dataset, figshare, CC BY 4.0: cite the source if you use the data.")
    say(f"Train on them with: tinydnn train {folder}")
