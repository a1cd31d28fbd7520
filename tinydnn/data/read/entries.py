"""File entries: one interface to files in folders, in zips and in zips within zips."""

import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from tinydnn.errors import InputError

MAX_BYTES = 2**28  # limit of one file; a published slice has about 0.25 MB
MAX_ZIP_BYTES = 2**32  # limit of a zip within a zip; a published one has about 0.25 GB
MAX_NAME = 255  # characters, the limit of common file systems
_BLOCK = 2**20


@dataclass(frozen=True)
class Entry:
    """One file: its name and location, and functions that read it. They raise `InputError` if it cannot be read."""

    name: str  # without folder: 12.mat
    location: str  # full path, for messages: data/all.zip/part.zip/12.mat
    size: int  # bytes
    read: Callable[[], bytes]
    checksum: Callable[[], int]  # CRC-32 of the content; zips store it


def folder_entry(path: Path) -> Entry:
    """The entry of a file on disk."""

    def read() -> bytes:
        _require_size(size, MAX_BYTES, str(path))
        with _input_errors(str(path)):
            return path.read_bytes()

    def checksum() -> int:
        total = 0
        with _input_errors(str(path)), path.open("rb") as file:
            while block := file.read(_BLOCK):
                total = zlib.crc32(block, total)
        return total

    try:
        size = path.stat().st_size
    except OSError:
        size = 0  # read() reports the fault
    return Entry(path.name, str(path), size, read, checksum)


def zip_entries(path: Path, resources: ExitStack) -> Iterator[Entry]:
    """The `.mat` files in a zip and in the zips inside it, read without unpacking.

    The zip stays open until `resources` is closed.
    """
    archive = _open_zip(path, str(path), resources)
    inner = _InnerZips(archive, str(path))
    resources.callback(inner.close)
    for info in _members(archive, ".mat"):
        yield _zip_entry(info, lambda: archive, str(path))
    for info in _members(archive, ".zip"):
        for member in _members(inner.open(info), ".mat"):
            yield _zip_entry(member, partial(inner.open, info), f"{path}/{info.filename}")


def is_file_or_link(path: Path) -> bool:
    """Whether `path` is a file or a symbolic link; broken links count, so that reading them raises an error."""
    return path.is_file() or path.is_symlink()


def is_hidden(path: PurePosixPath | Path) -> bool:
    """Whether `path` is hidden or was added by an operating system (.DS_Store, __MACOSX/._1.mat)."""
    return any(name.startswith((".", "__MACOSX")) and name != ".." for name in path.parts)


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sort key for natural order: 2.mat before 10.mat."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]


class _InnerZips:
    """Opens the zips inside a zip, one at a time.

    Reading a zip needs random access, which a compressed member does not offer: seeking back restarts its
    decompression. The inner zip in use is therefore copied to an unnamed temporary file.
    """

    def __init__(self, outer: zipfile.ZipFile, location: str) -> None:
        self._outer, self._location = outer, location
        self._info: zipfile.ZipInfo | None = None  # the zip in use, not its name: names may repeat
        self._resources = ExitStack()

    def open(self, info: zipfile.ZipInfo) -> zipfile.ZipFile:
        if self._info is not info:
            self.close()
            location = f"{self._location}/{info.filename}"
            _require_size(info.file_size, MAX_ZIP_BYTES, location)
            with _input_errors(location), self._outer.open(info) as member:
                file = self._resources.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
                shutil.copyfileobj(member, file, _BLOCK)
            self._inner = _open_zip(file, location, self._resources)
            self._info = info
        return self._inner

    def close(self) -> None:
        self._info = None
        self._resources.close()


def _members(archive: zipfile.ZipFile, suffix: str) -> Iterator[zipfile.ZipInfo]:
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        if path.suffix.lower() == suffix and not info.filename.endswith("/") and not is_hidden(path):
            yield info


def _zip_entry(info: zipfile.ZipInfo, archive: Callable[[], zipfile.ZipFile], location: str) -> Entry:
    path, name = f"{location}/{info.filename}", PurePosixPath(info.filename).name
    if len(name) > MAX_NAME:
        raise InputError(f"{location}: expected names of at most {MAX_NAME} characters, found {name[:40]}…")

    def read() -> bytes:
        if info.flag_bits & 1:
            raise InputError(f"{path}: expected a file without a password, found an encrypted one")
        _require_size(info.file_size, MAX_BYTES, path)
        with _input_errors(path):
            return archive().read(info)

    return Entry(name, path, info.file_size, read, lambda: info.CRC)


def _require_size(size: int, limit: int, location: str) -> None:
    if size > limit:
        raise InputError(f"{location}: expected at most {limit >> 20} MB, found {size >> 20} MB")


def _open_zip(file: Path | IO[bytes], location: str, resources: ExitStack) -> zipfile.ZipFile:
    with _input_errors(location):
        return resources.enter_context(zipfile.ZipFile(file))


@contextmanager
def _input_errors(location: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        # For a damaged file, zipfile and its decompressors raise exceptions of many types.
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"{location}: cannot be read ({' '.join(reason.split())[:120]})") from None
