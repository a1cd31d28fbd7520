"""HDF5 files sealed with a SHA-256 digest of their contents, which detects damage.

The digest is not a signature: a file can be altered and sealed again. So readers validate all contents too.
"""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import h5py
import numpy as np

from tinydnn.errors import InputError
from tinydnn.storage import atomic_write

FORMAT, VERSION = "tinydnn-model", 1
HDF5 = b"\x89HDF\r\n\x1a\n"  # the first bytes of an HDF5 file
# The errors that reading a damaged file may raise.
READ_ERRORS = (ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)


@contextmanager
def write_sealed(path: str | Path) -> Iterator[h5py.File]:
    """Yield a new HDF5 file to fill; seal it and move it to `path` atomically if the block succeeds.

    The file is built in memory: HDF5 aborts the process if the disk fills up.
    """
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        yield file
        file.attrs["digest"] = _digest(file)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content.getbuffer())


@contextmanager
def open_sealed(path: str | Path) -> Iterator[h5py.File]:
    """Yield the open file after checking format, version and digest.

    Raises `InputError` with the path if a check fails, and if the block raises one of `READ_ERRORS`.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: expected a tinydnn model, found {'a folder' if path.is_dir() else 'no such file'}")
    try:
        with path.open("rb") as raw:
            if raw.read(len(HDF5)) != HDF5:
                raise InputError(f"{path}: expected a tinydnn model, found another kind of file")
        with h5py.File(path, "r") as file:
            if str(file.attrs.get("format")) != FORMAT:
                raise InputError(f"{path}: expected a tinydnn model, found an HDF5 file of another kind")
            _check_header(file)
            yield file
    except InputError:
        raise
    except READ_ERRORS as error:
        raise InputError(
            f"{path}: expected an intact tinydnn model, found one that cannot be used: {one_line(error)}"
        ) from None


def one_line(error: BaseException) -> str:
    """The message of an error on one line of at most 200 characters; its type if it has none."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _check_header(file: h5py.File) -> None:
    version = int(file.attrs["version"])
    if version > VERSION:
        raise ValueError(f"version {version}, which needs a newer tinydnn; this one reads up to version {VERSION}")
    if file.attrs["digest"] != _digest(file):
        raise ValueError("its contents do not match their digest, so it was altered or damaged")


def _digest(file: h5py.File) -> str:
    """SHA-256 over the names, shapes, types and values of all datasets and attributes except the digest itself."""
    digest = sha256()
    for name, item in [("/", file), *members(file)]:
        attributes = {key: np.asarray(item.attrs[key]).tolist() for key in sorted(item.attrs) if key != "digest"}
        digest.update(f"{name} {json.dumps(attributes, default=str)}\n".encode())
        if isinstance(item, h5py.Dataset):
            digest.update(f"{item.dtype} {item.shape}\n".encode())
            digest.update(np.ascontiguousarray(item[...]).tobytes())
    return digest.hexdigest()


def members(group: h5py.Group, path: str = "") -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """All groups and datasets below `group` with their paths, sorted by name.

    Raises `ValueError` for anything that is not stored in the file itself: links, virtual and external datasets, and
    datasets larger than the file.
    """
    file_size = group.file.id.get_filesize()
    for key in sorted(group):
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise ValueError(f"{path}{key}: expected an array or a group, found a link to elsewhere")
        item = group[key]
        if isinstance(item, h5py.Dataset) and (item.is_virtual or item.external or item.nbytes > file_size):
            raise ValueError(f"{path}{key}: expected an array stored in the file, found shape {item.shape}")
        yield f"{path}{key}", item
        if isinstance(item, h5py.Group):
            yield from members(item, f"{path}{key}/")
