"""The files that a command is to write."""

from collections.abc import Iterator, Sequence
from mimetypes import guess_type
from pathlib import Path
from typing import Annotated

import typer

from tinydnn.data.prepare.cache import PREPARED_SUFFIXES
from tinydnn.errors import InputError

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")]

Picture = Annotated[Path, typer.Option("--out", "-o", help="The picture to write: .png, .svg or .pdf.")]


def require_output(out: Path, *, overwrite: bool) -> None:
    """Raise `InputError` unless `out` may be written: an HDF5 file that is new, or that the user lets be replaced."""
    if out.suffix.lower() not in PREPARED_SUFFIXES:
        raise InputError(f"--out: expected a name that ends in {' or '.join(PREPARED_SUFFIXES)}, found {out}")
    require_new(out, overwrite=overwrite)


def require_picture(out: Path, *, overwrite: bool) -> None:
    """Raise `InputError` unless `out` may be written: a picture that is new, or that the user lets be replaced."""
    from tinydnn.plots import check_suffix

    check_suffix(out, "--out")
    require_new(out, overwrite=overwrite)


def require_new(out: Path, *, overwrite: bool) -> None:
    """Raise `InputError` if `out` exists, unless the user lets it be replaced."""
    if out.exists() and not overwrite:
        raise InputError(f"--out: expected a new file, found {out}; choose another name, or --overwrite it")


def pictures_of(files: Sequence[Path], out: Path | None, *, overwrite: bool) -> dict[Path, Path]:
    """The picture of each file; none without `out`. Raises `InputError` if one exists already."""
    from tinydnn.plots import check_suffix

    if out is None:
        return {}
    kind, _ = guess_type(out.name)
    if kind is not None and not out.is_dir():
        check_suffix(out, "--out")
        if len(files) > 1:
            raise InputError(f"--out: expected a folder for {len(files)} images, found the picture {out}")
        pictures = {path: out for path in files}
    else:
        if out.is_file():
            raise InputError(f"--out: expected a folder or a picture, found the file {out}")
        names = _unique([path.stem for path in files])
        pictures = {path: out / f"{name}.png" for path, name in zip(files, names, strict=True)}
    for picture in pictures.values():
        require_new(picture, overwrite=overwrite)
    return pictures


def _unique(names: Sequence[str]) -> Iterator[str]:
    """The names, with a number after one that has been there before."""
    seen: set[str] = set()
    for stem in names:
        name, number = stem, 1
        while name in seen:
            number += 1
            name = f"{stem}-{number}"
        seen.add(name)
        yield name
