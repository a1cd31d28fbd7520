"""HDF5 files under a seal: a digest over all they hold, by which an altered or damaged file is told from a good one."""

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


@contextmanager
def write_sealed(path: str | Path) -> Iterator[h5py.File]:
    """A new file to fill, which is sealed and becomes `path` when the block ends well.

    It is filled in memory, because HDF5 ends the whole process when a disk runs full under it.
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
    """An open file that is whole, ours and not newer than we are.

    Raises `InputError` with the path for any other, and also where what the block finds in the file leads it to one
    of the usual errors, such as `ValueError` or `KeyError`.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: expected a tinydnn model, found {'a folder' if path.is_dir() else 'no such file'}")
    try:
        with h5py.File(path, "r") as file:
            _require_ours(file)
            yield file
    except InputError:
        raise
    except (
        ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError,
    ) as error:  # fmt: skip
        # Damage shows as whichever of these the damaged part leads to.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path}: expected a whole tinydnn model, found one that cannot be used: {reason}") from None


def _require_ours(file: h5py.File) -> None:
    if str(file.attrs.get("format")) != FORMAT:
        raise ValueError("an HDF5 file of another kind")
    version = int(file.attrs["version"])
    if version > VERSION:
        raise ValueError(f"version {version}, which needs a newer tinydnn; this one reads up to version {VERSION}")
    if file.attrs["digest"] != _digest(file):
        raise ValueError("its contents do not match their digest, so it was altered or damaged")


def _digest(file: h5py.File) -> str:
    """SHA-256 over the names, shapes, types and values of all datasets and attributes but the digest itself."""
    digest = sha256()
    for name, item in [("/", file), *members(file, "")]:
        attributes = {key: np.asarray(item.attrs[key]).tolist() for key in sorted(item.attrs) if key != "digest"}
        digest.update(f"{name} {json.dumps(attributes, default=str)}\n".encode())
        if isinstance(item, h5py.Dataset):
            digest.update(f"{item.dtype} {item.shape}\n".encode())
            digest.update(np.ascontiguousarray(item[...]).tobytes())
    return digest.hexdigest()


def members(group: h5py.Group, path: str) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """Everything below `group`, by name. What a link could lead to is not the file's own, and not looked at."""
    for key in sorted(group):
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise ValueError(f"{path}{key}: expected an array or a group, found a link to elsewhere")
        item = group[key]
        elsewhere = isinstance(item, h5py.Dataset) and (item.is_virtual or item.external)
        if elsewhere or (isinstance(item, h5py.Dataset) and item.nbytes > item.file.id.get_filesize()):
            raise ValueError(f"{path}{key}: expected an array that lies in the file, found shape {item.shape}")
        yield f"{path}{key}", item
        if isinstance(item, h5py.Group):
            yield from members(item, f"{path}{key}/")
