"""PyTorch's files of weights, read without PyTorch: the zip format, and the legacy format of PyTorch before 1.6.

    zip:     NAME/data.pkl, a pickle of the dictionary of tensors; NAME/data/KEY, the elements of each storage
    legacy:  pickles of a magic number, a version, the system, the dictionary and the list of keys; then for each key
             the number of elements in 8 bytes, and the elements

The tensors are views of the storages; all sizes are validated against the size of the file.

Source: torch.save's documentation and `torch.serialization`, which documents both formats.
"""

import zipfile
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinydnn.backend import Array
from tinydnn.checkpoint.sealed import READ_ERRORS, one_line
from tinydnn.errors import InputError
from tinydnn.weights.pickles import RefusedError, Storage, Tensor, read_pickle

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
MAX_PICKLE = 1 << 26  # bytes; a network's takes some kilobytes
_DTYPES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?", "BFloat16Storage": "<u2",
}  # fmt: skip

ReadStorage: TypeAlias = Callable[[Storage], bytes | Array]


def read(path: Path) -> dict[str, Array]:
    """The tensors by name. Raises `InputError` if the file is damaged or contains anything but tensors."""
    try:
        tensors, read_storage = _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)
        if type(tensors) is not dict or not all(type(name) is str for name in tensors):
            raise ValueError("something other than a dictionary of tensors")
        return {name: _array(name, tensor, read_storage) for name, tensor in tensors.items()}
    except RefusedError as error:
        raise InputError(f"{path}: expected a file of tensors alone, found {error}") from None
    except (*READ_ERRORS, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: expected an intact file of tensors, found {one_line(error)}") from None


def _read_zip(path: Path) -> tuple[Any, ReadStorage]:
    archive = zipfile.ZipFile(path)
    member = next((info for info in archive.infolist() if info.filename.endswith("/data.pkl")), None)
    if member is None:
        raise ValueError("a zip without data.pkl")
    folder = member.filename.removesuffix("data.pkl")
    if f"{folder}byteorder" in archive.namelist() and _content(archive, f"{folder}byteorder", 16) != b"little":
        raise ValueError("elements that are not little-endian")
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError("a compressed zip, which PyTorch does not write")
    if member.file_size > MAX_PICKLE:
        raise ValueError(f"a pickle of {member.file_size} bytes")
    with archive.open(member) as file:
        tensors = read_pickle(file)
    file_size = path.stat().st_size
    return tensors, lambda storage: _content(archive, f"{folder}data/{storage.key}", file_size)


def _content(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """A member of the archive. Compressed ones are refused, because a small file may inflate to any size."""
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > limit:
        raise ValueError(f"{name[:60]} compressed or of {member.file_size} bytes")
    return archive.read(member)


def _read_legacy(path: Path) -> tuple[Any, ReadStorage]:
    with path.open("rb") as file:
        if read_pickle(file) != MAGIC or read_pickle(file) != VERSION:
            raise ValueError("a pickle of another kind")
        read_pickle(file)  # the system that wrote the file
        tensors, keys = read_pickle(file), read_pickle(file)
        begin = file.tell()
    if type(keys) is not list or not all(type(key) is str for key in keys):
        raise ValueError("something other than a list of keys")
    values = tensors.values() if type(tensors) is dict else ()
    storages = {tensor.storage.key: tensor.storage for tensor in values if type(tensor) is Tensor}
    data = np.memmap(path, np.uint8, "r")
    content: dict[str, Array] = {}
    for key in keys:
        if key not in storages:
            raise ValueError(f"a storage {key!r} that no tensor uses")
        count = int.from_bytes(data[begin : begin + 8].tobytes(), "little")
        end = begin + 8 + count * _dtype(storages[key]).itemsize
        if end > len(data):
            raise ValueError(f"{len(data)} bytes where {end} are needed")
        content[key] = data[begin + 8 : end]
        begin = end
    return tensors, lambda storage: content[storage.key]


def _dtype(storage: Storage) -> np.dtype[Any]:
    if storage.kind not in _DTYPES:
        raise ValueError(f"elements of type {storage.kind[:40]}")
    return np.dtype(_DTYPES[storage.kind])


def _array(name: str, tensor: Any, read_storage: ReadStorage) -> Array:
    """The array of a tensor: a read-only view of its storage, with bounds checked."""
    if type(tensor) is not Tensor:
        raise ValueError(f"{name[:60]}: {type(tensor).__name__} instead of a tensor")
    storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
    integers = (tensor.offset, *shape, *strides)
    if len(shape) != len(strides) or not all(type(value) is int and value >= 0 for value in integers):
        raise ValueError(f"{name[:60]}: shape {str(shape)[:60]} with strides {str(strides)[:60]}")
    flat = np.frombuffer(read_storage(storage), _dtype(storage))
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if prod(shape) and last >= len(flat):
        raise ValueError(f"{name[:60]}: {len(flat)} elements where {last + 1} are needed")
    if prod(shape) > len(flat):  # strides of 0 repeat elements: a small storage as an array of any size
        raise ValueError(f"{name[:60]}: shape {shape} over {len(flat)} elements")
    view = as_strided(flat[tensor.offset :], shape, [stride * flat.itemsize for stride in strides], writeable=False)
    if storage.kind == "BFloat16Storage":  # the upper 16 bits of a float32
        return (view.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return view
