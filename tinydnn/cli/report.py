"""`tinydnn report`: write the report of a run anew, or compare runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinydnn.cli.app import app
from tinydnn.cli.display import say
from tinydnn.cli.outputs import Overwrite, require_new
from tinydnn.cli.running import open_dataset
from tinydnn.errors import InputError

if TYPE_CHECKING:
    from tinydnn.data.dataset import Dataset

COMPARISON = Path("compare.html")


@app.command(
    examples=(
        "tinydnn report runs/real",
        "tinydnn report runs/real runs/tuned --out compare.html",
    )
)
def report(
    runs: Annotated[list[Path], typer.Argument(help="The folder of a finished run; several are compared.")],
    out: Annotated[
        Path | None,
        typer.Option(help="The .html file; by default report.html in the run, or compare.html for several runs."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the report of a finished run anew, or a page that compares runs side by side.

    The report in the folder of a run is replaced, any other file only with --overwrite. A report needs the data of the
    run for its pictures; where it is gone, they are left out. A comparison needs none.
    """
    from tinydnn.runs.files import REPORT, lock_folder
    from tinydnn.runs.html_report import write_comparison, write_report
    from tinydnn.runs.html_report.results import read_results

    if out is not None and out.suffix.lower() != ".html":
        raise InputError(f"--out: expected a name that ends in .html, found {out}")
    if len(runs) > 1:
        path = COMPARISON if out is None else out
        require_new(path, overwrite=overwrite)
        write_comparison(runs, path)
        say(f"The comparison of {len(runs)} runs is {path}")
        return
    if out is not None:
        require_new(out, overwrite=overwrite)
    folder = runs[0]
    results = read_results(folder)
    path = folder / REPORT if out is None else out
    dataset = _dataset(folder, results.config["command"])
    with lock_folder(folder):
        write_report(folder, dataset, path=path)
    say(f"The report is {path}")


def _dataset(folder: Path, command: str) -> "Dataset | None":
    """The dataset of a run, or None and a line why there is none."""
    from tinydnn.runs.config import read_config
    from tinydnn.runs.options import options_kind

    kind = options_kind(command)
    config = read_config(folder, kind)
    try:
        dataset = open_dataset(kind(**config["options"]))
        if dataset.content != config["data"]["content"]:
            raise InputError(f"{config['options']['data']}: the data is not what this run was trained on")
    except (InputError, OSError) as error:
        say(f"Without pictures and features, because the data cannot be read: {error}")
        return None
    return dataset
