"""What DATA can be, and the slices in it.

The published set in any packing: a folder of `.mat` files (any of them, also one folder deeper), one of its zips,
a folder of zips, or the zip that holds the zips. Or a folder of PNG or JPEG pictures with one sub-folder per class.
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

from tinydnn.data.read.entries import Entry, folder_entry, is_hidden, is_there, natural_key, zip_entries
from tinydnn.data.read.figshare import CLASS_NAMES, Slice, read_folds, read_slice
from tinydnn.data.read.images import decode_image, image_folder, is_picture
from tinydnn.errors import InputError

FOLDS_NAME = "cvind.mat"
EXPECTED = "a folder of .mat files or of their zips, such a zip, or a folder with one sub-folder of pictures per class"


@dataclass
class Source:
    """Slices by name, read one at a time. Holds zips open: close it, or use it in a `with`."""

    name: str  # of the file or folder
    class_names: tuple[str, ...]
    entries: dict[str, Entry]  # by the name of the slice, in natural order
    decode: Callable[[str, Entry], Slice]
    has_masks: bool
    folds_entry: Entry | None = None
    resources: ExitStack = field(default_factory=ExitStack)

    @property
    def names(self) -> list[str]:
        """The slices, in the order of their file numbers."""
        return list(self.entries)

    def read(self, name: str) -> Slice:
        """The slice `name`, or an `InputError` that says what is wrong with its file."""
        return self.decode(name, self.entries[name])

    def folds(self) -> np.ndarray:
        """(N,) int64: the published fold of each slice, which `cvind.mat` lists by file number; 0 if unknown."""
        folds = np.zeros(len(self.entries), np.int64)
        if self.folds_entry is not None:
            listed = read_folds(io.BytesIO(self.folds_entry.read()), self.folds_entry.where)
            for row, name in enumerate(self.entries):
                number = Path(name).stem
                if number.isdecimal() and 1 <= int(number) <= len(listed):
                    folds[row] = listed[int(number) - 1]
        return folds

    @cached_property
    def content(self) -> str:
        """A digest of what the slices are: names, sizes and CRC-32 of every file, whole.

        It does not depend on where DATA lies, what it is called, or how it is packed; a changed byte changes it.
        """
        digest = hashlib.sha256()
        for name, entry in self.entries.items():
            digest.update(f"{name}\0{entry.size}\0{_checksum(entry)}\n".encode(errors="surrogateescape"))
        if self.folds_entry is not None:
            digest.update(f"{self.folds_entry.size}\0{_checksum(self.folds_entry)}\n".encode())
        return digest.hexdigest()

    def close(self) -> None:
        """Close the zips."""
        self.resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_source(path: str | Path) -> Source:
    """Find out what `path` is and list its slices; `InputError` says what it should have been."""
    path = Path(path)
    with ExitStack() as resources:
        try:
            found = _mat_entries(path, resources)
            if not found and path.is_dir() and any(is_picture(file) for file in path.glob("*/*")):
                return _image_source(path)
        except OSError as error:
            raise InputError(f"{error.filename or path}: cannot be read ({error.strerror})") from None
        slices, folds_entry = _without_duplicates(found)
        if not slices:
            raise InputError(f"{path}: expected {EXPECTED}, found no slices")
        return Source(
            name=path.resolve().name,
            class_names=CLASS_NAMES,
            entries=slices,
            decode=lambda name, entry: read_slice(io.BytesIO(entry.read()), entry.where),
            has_masks=True,
            folds_entry=folds_entry,
            resources=resources.pop_all(),
        )


def _mat_entries(path: Path, resources: ExitStack) -> list[Entry]:
    if path.is_dir():
        entries = []
        here = sorted(path.iterdir())  # and not glob, which passes over folders that it may not read
        folders = [folder for folder in here if folder.is_dir() and not is_hidden(Path(folder.name))]
        for file in [*here, *(file for folder in folders for file in sorted(folder.iterdir()))]:
            if is_there(file) and not is_hidden(Path(file.name)):
                if file.suffix.lower() == ".mat":
                    entries.append(folder_entry(file))
                elif file.suffix.lower() == ".zip":
                    entries += zip_entries(file, str(file), resources)
        return entries
    if not path.exists():
        raise InputError(f"{path}: expected {EXPECTED}, found nothing there")
    if path.suffix.lower() != ".zip":
        raise InputError(f"{path}: expected {EXPECTED}, found another kind of file")
    return list(zip_entries(path, str(path), resources))


def _without_duplicates(found: Iterable[Entry]) -> tuple[dict[str, Entry], Entry | None]:
    """The slices by name, in natural order, and cvind.mat.

    A slice that is there twice (unpacked beside its zip, say) counts once; two that differ are an error.
    """
    kept: dict[str, Entry] = {}
    for entry in found:
        name = _slice_name(Path(entry.name).stem)
        first = kept.setdefault(name, entry)
        if first is not entry and (first.size, _checksum(first)) != (entry.size, _checksum(entry)):
            raise InputError(f"{entry.where}: expected each slice once, found another {name} at {first.where}")
    folds = kept.pop(FOLDS_NAME, None)
    return dict(sorted(kept.items(), key=lambda item: natural_key(item[0]))), folds


def _slice_name(stem: str) -> str:
    """007.mat is slice 7, and CVIND.MAT is cvind.mat."""
    name = f"{int(stem) if stem.isdecimal() else stem}.mat"
    return FOLDS_NAME if name.lower() == FOLDS_NAME else name


def _checksum(entry: Entry) -> str:
    """That of a file that cannot be read says so, and no more: to leave it out or to stop is for the reader to say."""
    try:
        return str(entry.checksum())
    except InputError:
        return "unreadable"


def _image_source(path: Path) -> Source:
    class_names, entries = image_folder(path)

    def decode(name: str, entry: Entry) -> Slice:
        return Slice(decode_image(entry.read(), entry.where), class_names.index(name.split("/")[0]) + 1)

    return Source(path.resolve().name, class_names, entries, decode, has_masks=False)
