"""safetensors: a length, a table as JSON, and the numbers.

    8 bytes     the length L of the table, little-endian
    L bytes     {"name": {"dtype": "F32", "shape": [O, C, 3, 3], "data_offsets": [begin, end]}, …}
    the rest    the numbers, little-endian, which the offsets count from here

Source: the format's own description in the safetensors repository.
"""

import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tinydnn.backend import Array
from tinydnn.errors import InputError

MAX_HEADER = 100_000_000  # bytes, the format's own limit
_SIZES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2,
    "U8": 1, "BOOL": 1,
}  # fmt: skip
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1"}
_DTYPES |= {"U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?"}


def read(path: Path) -> dict[str, Array]:
    """The arrays by name. Raises `InputError` unless the table is sound and the numbers fill the rest of the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(MAX_HEADER, size - 8):
            raise _broken(path, f"a table of at most {max(size - 8, 0)} bytes", f"one of {length}")
        table = _table(path, file.read(length))
    room, end = size - 8 - length, 0
    entries = {name: _entry(path, name, entry) for name, entry in table.items() if name != "__metadata__"}
    for name, (_, _, begin, stop) in sorted(entries.items(), key=lambda one: one[1][2:]):
        if begin != end or stop > room:
            raise _broken(path, f"{name} from byte {end} and within {room}", f"bytes {begin} to {stop}")
        end = stop
    if end != room:
        raise _broken(path, f"{end} bytes of numbers", f"{room}")
    data = np.memmap(path, np.uint8, "r", offset=8 + length) if room else np.empty(0, np.uint8)
    return {name: _array(data[begin:stop], dtype, shape) for name, (dtype, shape, begin, stop) in entries.items()}


def _table(path: Path, header: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name twice")
        return found

    try:
        table = json.loads(header, object_pairs_hook=once)
        if not isinstance(table, dict):
            raise ValueError(type(table).__name__)
    except (ValueError, RecursionError) as error:
        raise _broken(path, "a table as JSON", f"something else ({str(error)[:80]})") from None
    return table


def _entry(path: Path, name: str, entry: Any) -> tuple[str, tuple[int, ...], int, int]:
    """dtype, shape, first byte and end."""
    try:
        dtype, shape, (begin, stop) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        if any(type(one) is not int or one < 0 for one in (*shape, begin, stop)):
            raise ValueError
        size = _SIZES[dtype]
    except (KeyError, TypeError, ValueError):
        raise _broken(path, f"type, shape and offsets of {name[:100]}", str(entry)[:100]) from None
    if stop - begin != prod(shape) * size:
        raise _broken(path, f"{prod(shape) * size} bytes for {name[:100]} {dtype} {shape}", f"{stop - begin}")
    return dtype, shape, begin, stop


def _array(data: Array, dtype: str, shape: tuple[int, ...]) -> Array:
    if dtype == "BF16":  # the upper half of a float32
        wide = data.view("<u2").astype(np.uint32) << np.uint32(16)
        return wide.view(np.float32).reshape(shape)
    return data.view(_DTYPES[dtype]).reshape(shape)


def _broken(path: Path, expected: str, found: str) -> InputError:
    return InputError(f"{path}: not a sound safetensors file: expected {expected}, found {found}")
