"""safetensors: the length of a header, the header as JSON, and the elements of all arrays.

    8 bytes     the length L of the header, little-endian
    L bytes     {"name": {"dtype": "F32", "shape": [O, C, 3, 3], "data_offsets": [begin, end]}, …}
    the rest    the elements, little-endian; offsets count bytes from here

Source: the format's specification in the safetensors repository.
"""

import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tinydnn.backend import Array
from tinydnn.errors import InputError

MAX_HEADER = 100_000_000  # bytes, the format's own limit
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def read(path: Path) -> dict[str, Array]:
    """The arrays by name. Raises `InputError` unless the header is valid and the arrays fill the rest of the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(MAX_HEADER, size - 8):
            raise _invalid(path, f"a header of at most {max(size - 8, 0)} bytes", f"one of {length}")
        header = _header(path, file.read(length))
    available, end = size - 8 - length, 0
    entries = {name: _entry(path, name, entry) for name, entry in header.items() if name != "__metadata__"}
    for name, (_, _, begin, stop) in sorted(entries.items(), key=lambda item: item[1][2:]):
        if begin != end or stop > available:
            raise _invalid(path, f"{name} from byte {end} and within {available}", f"bytes {begin} to {stop}")
        end = stop
    if end != available:
        raise _invalid(path, f"{end} bytes of elements", f"{available}")
    data = np.memmap(path, np.uint8, "r", offset=8 + length) if available else np.empty(0, np.uint8)
    return {name: _array(data[begin:stop], dtype, shape) for name, (dtype, shape, begin, stop) in entries.items()}


def _header(path: Path, content: bytes) -> dict[str, Any]:
    def reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a duplicate name")
        return dict(pairs)

    try:
        header = json.loads(content, object_pairs_hook=reject_duplicates)
        if not isinstance(header, dict):
            raise ValueError(type(header).__name__)
    except (ValueError, RecursionError) as error:
        raise _invalid(path, "a JSON header", f"something else ({str(error)[:80]})") from None
    return header


def _entry(path: Path, name: str, entry: Any) -> tuple[str, tuple[int, ...], int, int]:
    """The dtype, the shape, the first byte and the end of an array."""
    try:
        dtype, shape, (begin, stop) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        if any(type(value) is not int or value < 0 for value in (*shape, begin, stop)):
            raise ValueError
        expected = prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    except (KeyError, TypeError, ValueError):
        raise _invalid(path, f"dtype, shape and offsets of {name[:100]}", str(entry)[:100]) from None
    if stop - begin != expected:
        raise _invalid(path, f"{expected} bytes for {name[:100]} {dtype} {shape}", f"{stop - begin}")
    return dtype, shape, begin, stop


def _array(data: Array, dtype: str, shape: tuple[int, ...]) -> Array:
    elements = data.view(_DTYPES[dtype])
    if dtype == "BF16":  # the upper 16 bits of a float32
        elements = (elements.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return elements.reshape(shape)


def _invalid(path: Path, expected: str, found: str) -> InputError:
    return InputError(f"{path}: invalid safetensors file: expected {expected}, found {found}")
