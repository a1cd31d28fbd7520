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
        with _explained(str(path)):
            return path.read_bytes()

    def checksum() -> int:
        total = 0
        with _explained(str(path)), path.open("rb") as file:
            while block := file.read(_BLOCK):
                total = zlib.crc32(block, total)
        return total

    with _explained(str(path)):
        size = path.stat().st_size
    return Entry(path.name, str(path), size, _limited(read, size, str(path)), checksum)


def zip_entries(file: Path | IO[bytes], where: str, resources: ExitStack) -> Iterator[Entry]:
    """The `.mat` files in a zip and in the zips that it holds, none of them unpacked beside it.

    The zip stays open until `resources` is closed.
    """
    archive = _open_zip(file, where, resources)
    spool = _Spool(archive, where)
    resources.callback(spool.close)
    for info in archive.infolist():
        inside = PurePosixPath(info.filename)
        if info.is_dir() or is_hidden(inside):
            continue
        if inside.suffix.lower() == ".mat":
            yield _zip_entry(info, lambda: archive, where)
        elif inside.suffix.lower() == ".zip":
            inner = f"{where}/{info.filename}"
            for member in spool.open(info).infolist():
                name = PurePosixPath(member.filename)
                if name.suffix.lower() == ".mat" and not is_hidden(name):
                    yield _zip_entry(member, partial(spool.open, info), inner)


def is_hidden(path: PurePosixPath | Path) -> bool:
    """Whether an operating system put it there (.DS_Store, __MACOSX/._1.mat) and not the person."""
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


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
        self._name = ""
        self._resources = ExitStack()

    def open(self, info: zipfile.ZipInfo) -> zipfile.ZipFile:
        if self._name != info.filename:
            self.close()
            where = f"{self._where}/{info.filename}"
            with _explained(where), self._outer.open(info) as member:
                file = self._resources.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
                shutil.copyfileobj(member, file, _BLOCK)
            self._inner = _open_zip(file, where, self._resources)
            self._name = info.filename
        return self._inner

    def close(self) -> None:
        self._name = ""
        self._resources.close()


def _zip_entry(info: zipfile.ZipInfo, archive: Callable[[], zipfile.ZipFile], where: str) -> Entry:
    inside = f"{where}/{info.filename}"

    def read() -> bytes:
        with _explained(inside):
            return archive().read(info)

    name = PurePosixPath(info.filename).name
    return Entry(name, inside, info.file_size, _limited(read, info.file_size, inside), lambda: info.CRC)


def _limited(read: Callable[[], bytes], size: int, where: str) -> Callable[[], bytes]:
    def limited() -> bytes:
        if size > MAX_BYTES:
            raise InputError(f"{where}: expected at most {MAX_BYTES >> 20} MB, found {size >> 20} MB")
        return read()

    return limited


def _open_zip(file: Path | IO[bytes], where: str, resources: ExitStack) -> zipfile.ZipFile:
    with _explained(where):
        return resources.enter_context(zipfile.ZipFile(file))


@contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{where}: cannot be read ({' '.join(reason.split())[:120]})") from None
