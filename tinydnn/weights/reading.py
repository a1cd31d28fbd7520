"""Reading a file of weights, whichever format it is in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tinydnn.backend import Array
from tinydnn.data.preprocessing import Preprocessing
from tinydnn.errors import InputError
from tinydnn.weights import keras, names, own, pth, safetensors

EXPECTED = "weights as safetensors, PyTorch's .pth, Keras's HDF5 or a tinydnn model"
_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Weights:
    """Arrays by their published names ("features.0.weight" …), and what the network they belong to wants to see.

    Convolutions are (O, C, kh, kw), matrices (out, in). `convention` says whose names the file has.
    """

    path: Path
    arrays: Mapping[str, Array]
    preprocessing: Preprocessing
    convention: str


def read(path: str | Path) -> Weights:
    """The weights in a file, known by its first bytes. Raises `InputError` for anything else and for a broken file."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except IsADirectoryError:
        raise InputError(f"{path}: expected {EXPECTED}, found a folder") from None
    except FileNotFoundError:
        raise InputError(f"{path}: expected {EXPECTED}, found no such file") from None
    if start.startswith(_HDF5) and own.is_own(path):
        arrays, preprocessing = own.read(path)
        return Weights(path, arrays, preprocessing, "tinydnn")
    reader = _reader(path, start)
    arrays, preprocessing, convention = names.translated(path, reader(path))
    return Weights(path, arrays, preprocessing, convention)


def _reader(path: Path, start: bytes) -> Callable[[Path], dict[str, Array]]:
    if start.startswith(_HDF5):
        return keras.read
    if start.startswith((b"PK\x03\x04", b"\x80")):  # a zip, or a pickle of protocol 2 and later
        return pth.read
    if start[8:9] == b"{":
        return safetensors.read
    found = "an empty file" if not start else "another kind of file"
    raise InputError(f"{path}: expected {EXPECTED}, found {found}")
