"""Read a file of weights; its first bytes determine the format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tinydnn.backend import Array
from tinydnn.checkpoint.sealed import HDF5
from tinydnn.data.normalise import AnyNormalisation
from tinydnn.errors import InputError
from tinydnn.weights import keras, model_file, pth, safetensors
from tinydnn.weights.names import translate

EXPECTED = "weights as safetensors, PyTorch's .pth, Keras's HDF5 or a tinydnn model"


@dataclass(frozen=True)
class Weights:
    """Arrays by their published names ("features.0.weight" …), and the preprocessing of their network.

    A tinydnn model trained from scratch has the names of its file and a normalisation of grey images. Convolutions are
    (O, C, kh, kw), matrices (out, in). convention: of the names in the file, such as "Keras".
    """

    path: Path
    arrays: Mapping[str, Array]
    preprocessing: AnyNormalisation
    convention: str


def read(path: str | Path) -> Weights:
    """Read safetensors, .pth, Keras's HDF5 or a tinydnn model. Raises `InputError` for other and broken files."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except IsADirectoryError:
        raise InputError(f"{path}: expected {EXPECTED}, found a folder") from None
    except FileNotFoundError:
        raise InputError(f"{path}: expected {EXPECTED}, found no such file") from None
    if start.startswith(HDF5) and model_file.is_model_file(path):
        return Weights(path, *model_file.read(path), "tinydnn")
    arrays = _reader(path, start)(path)
    if not arrays:
        raise InputError(f"{path}: expected {EXPECTED}, found a file without such arrays")
    return Weights(path, *translate(path, arrays))


def _reader(path: Path, start: bytes) -> Callable[[Path], dict[str, Array]]:
    if start.startswith(HDF5):
        return keras.read
    if start.startswith((b"PK\x03\x04", b"\x80")):  # a zip, or a pickle of protocol 2 and later
        return pth.read
    if start[8:9] == b"{":
        return safetensors.read
    found = "an empty file" if not start else "another kind of file"
    raise InputError(f"{path}: expected {EXPECTED}, found {found}")
