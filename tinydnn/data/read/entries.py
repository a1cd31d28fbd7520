"""The files that slices are read from, wherever they lie: in a folder, in a zip, in a zip within a zip."""

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

MAX_BYTES = 2**28  # of one file; a published slice has a quarter of a megabyte
MAX_ZIP_BYTES = 2**32  # of a zip in a zip; a published one has a quarter of a gigabyte
MAX_NAME = 255  # characters; more than a file system allows
_BLOCK = 2**20


@dataclass(frozen=True)
class Entry:
    """One file: what it is called, and how to get at it."""

    name: str  # without folders: 12.mat
    where: str  # with everything around it, for messages: data/all.zip/part.zip/12.mat
    size: int  # bytes
    read: Callable[[], bytes]
    checksum: Callable[[], int]  # CRC-32 of the whole content, which zips know without reading it


def folder_entry(path: Path) -> Entry:
    """The entry of a file on disk."""

    def read() -> bytes:
        _require_size(size, MAX_BYTES, str(path))
        with _explained(str(path)):
            return path.read_bytes()

    def checksum() -> int:
        total = 0
        with _explained(str(path)), path.open("rb") as file:
            while block := file.read(_BLOCK):
                total = zlib.crc32(block, total)
        return total

    try:
        size = path.stat().st_size
    except OSError:
        size = 0  # reading it will say what is wrong
    return Entry(path.name, str(path), size, read, checksum)


def zip_entries(file: Path | IO[bytes], where: str, resources: ExitStack) -> Iterator[Entry]:
    """The `.mat` files in a zip and in the zips that it holds, none of them unpacked beside it.

    The zip stays open until `resources` is closed.
    """
    archive = _open_zip(file, where, resources)
    spool = _Spool(archive, where)
    resources.callback(spool.close)
    for info in _listed(archive, ".mat"):
        yield _zip_entry(info, lambda: archive, where)
    for info in _listed(archive, ".zip"):
        for member in _listed(spool.open(info), ".mat"):
            yield _zip_entry(member, partial(spool.open, info), f"{where}/{info.filename}")


def is_there(path: Path) -> bool:
    """Whether it is a file, or a link that may lead to one: a link that leads nowhere must not go unnoticed."""
    return path.is_file() or path.is_symlink()


def is_hidden(path: PurePosixPath | Path) -> bool:
    """Whether an operating system put it there (.DS_Store, __MACOSX/._1.mat) and not the person."""
    return any(part.startswith((".", "__MACOSX")) and part != ".." for part in path.parts)


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts 2.mat before 10.mat."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]


class _Spool:
    """The zips inside a zip, one at a time.

    Reading a zip means jumping about in it, which a member of another zip can only do by being read again
    from its start. So the inner zip in use lies in an unnamed temporary file.
    """

    def __init__(self, outer: zipfile.ZipFile, where: str) -> None:
        self._outer, self._where = outer, where
        self._info: zipfile.ZipInfo | None = None  # of the one in use; names may occur twice
        self._resources = ExitStack()

    def open(self, info: zipfile.ZipInfo) -> zipfile.ZipFile:
        if self._info is not info:
            self.close()
            where = f"{self._where}/{info.filename}"
            _require_size(info.file_size, MAX_ZIP_BYTES, where)
            with _explained(where), self._outer.open(info) as member:
                file = self._resources.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
                shutil.copyfileobj(member, file, _BLOCK)
            self._inner = _open_zip(file, where, self._resources)
            self._info = info
        return self._inner

    def close(self) -> None:
        self._info = None
        self._resources.close()


def _listed(archive: zipfile.ZipFile, suffix: str) -> Iterator[zipfile.ZipInfo]:
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        if path.suffix.lower() == suffix and not info.filename.endswith("/") and not is_hidden(path):
            yield info


def _zip_entry(info: zipfile.ZipInfo, archive: Callable[[], zipfile.ZipFile], where: str) -> Entry:
    inside, name = f"{where}/{info.filename}", PurePosixPath(info.filename).name
    if len(name) > MAX_NAME:
        raise InputError(f"{where}: expected names of at most {MAX_NAME} characters, found {name[:40]}…")

    def read() -> bytes:
        if info.flag_bits & 1:
            raise InputError(f"{inside}: expected a file without a password, found an encrypted one")
        _require_size(info.file_size, MAX_BYTES, inside)
        with _explained(inside):
            return archive().read(info)

    return Entry(name, inside, info.file_size, read, lambda: info.CRC)


def _require_size(size: int, limit: int, where: str) -> None:
    if size > limit:
        raise InputError(f"{where}: expected at most {limit >> 20} MB, found {size >> 20} MB")


def _open_zip(file: Path | IO[bytes], where: str, resources: ExitStack) -> zipfile.ZipFile:
    with _explained(where):
        return resources.enter_context(zipfile.ZipFile(file))


@contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        # zipfile reports damage by whatever the damaged part leads to, in any of its decompressors.
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"{where}: cannot be read ({' '.join(reason.split())[:120]})") from None
