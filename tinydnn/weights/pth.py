"""PyTorch's files of weights, without PyTorch: the zip of today and the chain of pickles of before 2020.

    zip:    NAME/data.pkl, a pickle of the dictionary of tensors; NAME/data/KEY, the numbers of a storage
    chain:  pickles of a magic number, a version, the system, the dictionary and the list of keys; then for each key
            its count in 8 bytes, and the numbers

Source: torch.save's documentation and `torch.serialization`, which names both forms.
"""

import zipfile
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinydnn.backend import Array
from tinydnn.errors import InputError
from tinydnn.weights.pickles import RefusedError, Storage, Tensor, read_pickle

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
MAX_PICKLE = 1 << 26  # bytes; that of a network has some kilobytes
_DTYPES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?", "BFloat16Storage": "<u2",
}  # fmt: skip


def read(path: Path) -> dict[str, Array]:
    """The tensors by name. Raises `InputError` where the file is damaged or holds anything but tensors."""
    try:
        found, numbers = _from_zip(path) if zipfile.is_zipfile(path) else _from_chain(path)
        if type(found) is not dict or not all(type(name) is str for name in found):
            raise ValueError("something other than a dictionary of tensors")
        return {name: _array(name, one, numbers) for name, one in found.items()}
    except RefusedError as error:
        raise InputError(f"{path}: expected a file of tensors alone, found {error}") from None
    except (
        ArithmeticError, EOFError, LookupError, MemoryError, NotImplementedError, OSError, RuntimeError, TypeError,
        ValueError, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:150] or type(error).__name__
        raise InputError(f"{path}: expected a whole file of tensors, found {reason}") from None


def _from_zip(path: Path) -> tuple[Any, Callable[[Storage], bytes | Array]]:
    archive = zipfile.ZipFile(path)
    try:
        pickled = next(one for one in archive.infolist() if one.filename.endswith("/data.pkl"))
    except StopIteration:
        raise ValueError("a zip without data.pkl") from None
    folder = pickled.filename.removesuffix("data.pkl")
    if f"{folder}byteorder" in archive.namelist() and _content(archive, f"{folder}byteorder", 16) != b"little":
        raise ValueError("numbers that are not little-endian")
    if pickled.compress_type != zipfile.ZIP_STORED:
        raise ValueError("a compressed zip, which PyTorch does not write")
    if pickled.file_size > MAX_PICKLE:
        raise ValueError(f"a pickle of {pickled.file_size} bytes")
    with archive.open(pickled) as file:
        found = read_pickle(file)
    size = path.stat().st_size

    def numbers(storage: Storage) -> bytes:
        return _content(archive, f"{folder}data/{storage.key}", size)

    return found, numbers


def _content(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A member of the archive, which is stored as it is and so no larger than the file."""
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > most:
        raise ValueError(f"{name[:60]} compressed or of {member.file_size} bytes")
    return archive.read(member)


def _from_chain(path: Path) -> tuple[Any, Callable[[Storage], bytes | Array]]:
    with path.open("rb") as file:
        if read_pickle(file) != MAGIC or read_pickle(file) != VERSION:
            raise ValueError("a pickle of another kind")
        read_pickle(file)  # the system that wrote it
        found, keys = read_pickle(file), read_pickle(file)
        begin = file.tell()
    if type(keys) is not list or not all(type(key) is str for key in keys):
        raise ValueError("something other than a list of keys")
    tensors = found.values() if type(found) is dict else ()
    storages = {one.storage.key: one.storage for one in tensors if type(one) is Tensor}
    data = np.memmap(path, np.uint8, "r")
    places: dict[str, Array] = {}
    for key in keys:
        if key not in storages:
            raise ValueError(f"numbers of {key!r}, which no tensor has")
        count = int.from_bytes(data[begin : begin + 8].tobytes(), "little")
        end = begin + 8 + count * _dtype(storages[key]).itemsize
        if end > len(data):
            raise ValueError(f"{len(data)} bytes where {end} are needed")
        places[key] = data[begin + 8 : end]
        begin = end
    return found, lambda storage: places[storage.key]


def _dtype(storage: Storage) -> np.dtype[Any]:
    if storage.kind not in _DTYPES:
        raise ValueError(f"numbers of the kind {storage.kind[:40]}")
    return np.dtype(_DTYPES[storage.kind])


def _array(name: str, tensor: Any, numbers: Callable[[Storage], bytes | Array]) -> Array:
    """The array of a tensor, within its storage."""
    if type(tensor) is not Tensor:
        raise ValueError(f"{name[:60]}: {type(tensor).__name__} in place of a tensor")
    storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
    whole = (tensor.offset, *shape, *strides)
    if len(shape) != len(strides) or not all(type(one) is int and one >= 0 for one in whole):
        raise ValueError(f"{name[:60]}: shape {str(shape)[:60]} with strides {str(strides)[:60]}")
    content = numbers(storage)
    flat = np.frombuffer(content, _dtype(storage))
    last = tensor.offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    if prod(shape) and last >= len(flat):
        raise ValueError(f"{name[:60]}: {len(flat)} numbers where {last + 1} are needed")
    if prod(shape) > len(flat):
        raise ValueError(f"{name[:60]}: shape {shape} over {len(flat)} numbers")
    view = as_strided(flat[tensor.offset :], shape, [step * flat.itemsize for step in strides], writeable=False)
    if storage.kind == "BFloat16Storage":  # the upper half of a float32
        return (view.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return view
