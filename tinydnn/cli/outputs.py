"""The file that a command is to write."""

from pathlib import Path
from typing import Annotated

import typer

from tinydnn.data.prepare.cache import PREPARED_SUFFIXES
from tinydnn.errors import InputError

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")]


def require_output(out: Path, *, overwrite: bool) -> None:
    """Raise `InputError` unless `out` may be written: an HDF5 file that is new, or that the user lets be replaced."""
    if out.suffix.lower() not in PREPARED_SUFFIXES:
        raise InputError(f"--out: expected a name that ends in {' or '.join(PREPARED_SUFFIXES)}, found {out}")
    if out.exists() and not overwrite:
        raise InputError(f"--out: expected a new file, found {out}; choose another name, or --overwrite it")
