"""Data sources: the slices in DATA, in any of its forms.

DATA is the published dataset, or a part of it, as a folder of `.mat` files (also in its sub-folders), one of its zips,
a folder of the zips or the zip of all zips; or it is a folder of PNG or JPEG images with one sub-folder per class.
"""

import hashlib
import io
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from tinydnn.data.read.entries import Entry, folder_entry, is_file_or_link, is_hidden, natural_key, zip_entries
from tinydnn.data.read.figshare import CLASS_NAMES, FOLDS_NAME, Slice, read_folds, read_slice
from tinydnn.data.read.images import decode_image, image_folder, is_image
from tinydnn.errors import InputError

EXPECTED = "a folder of .mat files or of their zips, such a zip, or a folder with one sub-folder of images per class"


@dataclass
class Source:
    """Slices by name, read one at a time. A context manager, which closes its zips on exit."""

    name: str  # of the file or folder
    class_names: tuple[str, ...]
    entries: dict[str, Entry]  # slice name → file, in natural order
    decode: Callable[[str, Entry], Slice]
    has_masks: bool
    folds_entry: Entry | None = None
    resources: ExitStack = field(default_factory=ExitStack)

    @property
    def names(self) -> list[str]:
        """The names of the slices, in natural order."""
        return list(self.entries)

    def read(self, name: str) -> Slice:
        """Read the slice `name`. Raises `InputError` if its file is broken."""
        return self.decode(name, self.entries[name])

    def folds(self) -> np.ndarray:
        """(N,) int64: the published fold of each slice, from `cvind.mat` by file number; 0 if unknown."""
        folds = np.zeros(len(self.entries), np.int64)
        if self.folds_entry is not None:
            published = read_folds(io.BytesIO(self.folds_entry.read()), self.folds_entry.location)
            for row, name in enumerate(self.entries):
                number = Path(name).stem
                if number.isdecimal() and 1 <= int(number) <= len(published):
                    folds[row] = published[int(number) - 1]
        return folds

    @cached_property
    def content(self) -> str:
        """Digest of the name, size and CRC-32 of every file; independent of location, name and packing of DATA."""
        digest = hashlib.sha256()
        for name, entry in self.entries.items():
            digest.update(f"{name}\0{entry.size}\0{_checksum(entry)}\n".encode(errors="surrogateescape"))
        if self.folds_entry is not None:
            digest.update(f"{self.folds_entry.size}\0{_checksum(self.folds_entry)}\n".encode())
        return digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.resources.close()


def open_source(path: str | Path) -> Source:
    """List the slices of the folder or file `path`. Raises `InputError` if it is not a source."""
    path = Path(path)
    with ExitStack() as resources:
        try:
            mat_entries = _mat_entries(path, resources)
            if not mat_entries and path.is_dir() and any(is_image(file) for file in path.glob("*/*")):
                return _image_source(path)
        except OSError as error:
            raise InputError(f"{error.filename or path}: cannot be read ({error.strerror})") from None
        slices, folds_entry = _unique_slices(mat_entries)
        if not slices:
            raise InputError(f"{path}: expected {EXPECTED}, found no slices")
        return Source(
            name=path.resolve().name,
            class_names=CLASS_NAMES,
            entries=slices,
            decode=lambda name, entry: read_slice(io.BytesIO(entry.read()), entry.location),
            has_masks=True,
            folds_entry=folds_entry,
            resources=resources.pop_all(),
        )


def _mat_entries(path: Path, resources: ExitStack) -> list[Entry]:
    if path.is_dir():
        entries = []
        children = sorted(path.iterdir())  # not glob, which silently skips unreadable folders
        folders = [folder for folder in children if folder.is_dir() and not is_hidden(Path(folder.name))]
        for file in [*children, *(file for folder in folders for file in sorted(folder.iterdir()))]:
            if is_file_or_link(file) and not is_hidden(Path(file.name)):
                if file.suffix.lower() == ".mat":
                    entries.append(folder_entry(file))
                elif file.suffix.lower() == ".zip":
                    entries += zip_entries(file, resources)
        return entries
    if not path.exists():
        raise InputError(f"{path}: expected {EXPECTED}, found no such file or folder")
    if path.suffix.lower() != ".zip":
        raise InputError(f"{path}: expected {EXPECTED}, found another kind of file")
    return list(zip_entries(path, resources))


def _unique_slices(entries: Iterable[Entry]) -> tuple[dict[str, Entry], Entry | None]:
    """The slices by name, in natural order, and cvind.mat.

    Equal copies of a slice (unpacked beside its zip, say) count once. Raises `InputError` for different slices of
    the same name.
    """
    by_name: dict[str, Entry] = {}
    for entry in entries:
        name = _slice_name(Path(entry.name).stem)
        first = by_name.setdefault(name, entry)
        if first is not entry and (first.size, _checksum(first)) != (entry.size, _checksum(entry)):
            raise InputError(f"{entry.location}: expected each slice once, found another {name} at {first.location}")
    folds = by_name.pop(FOLDS_NAME, None)
    return dict(sorted(by_name.items(), key=lambda item: natural_key(item[0]))), folds


def _slice_name(stem: str) -> str:
    """Canonical name: 7.mat for 007.mat, cvind.mat for CVIND.MAT."""
    name = f"{int(stem) if stem.isdecimal() else stem}.mat"
    return FOLDS_NAME if name.lower() == FOLDS_NAME else name


def _checksum(entry: Entry) -> str:
    """The CRC-32, or "unreadable": the error is left to `read`, whose caller may skip the file."""
    try:
        return str(entry.checksum())
    except InputError:
        return "unreadable"


def _image_source(path: Path) -> Source:
    class_names, entries = image_folder(path)

    def decode(name: str, entry: Entry) -> Slice:
        return Slice(decode_image(entry.read(), entry.location), class_names.index(name.split("/")[0]) + 1)

    return Source(path.resolve().name, class_names, entries, decode, has_masks=False)
