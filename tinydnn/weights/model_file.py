"""The weights of a tinydnn model file."""

from pathlib import Path

import h5py

from tinydnn.backend import Array
from tinydnn.checkpoint import load_model
from tinydnn.checkpoint.sealed import FORMAT
from tinydnn.data.normalise import Preprocessing
from tinydnn.errors import InputError
from tinydnn.weights.names import published_name


def is_model_file(path: Path) -> bool:
    """Whether an HDF5 file declares itself a tinydnn model."""
    try:
        with h5py.File(path, "r") as file:
            return str(file.attrs.get("format")) == FORMAT
    except (OSError, RuntimeError, ValueError):
        return False


def read(path: Path) -> tuple[dict[str, Array], Preprocessing]:
    """The arrays by published name, and the preprocessing. Raises `InputError` unless the model was adapted."""
    saved = load_model(path)
    if not isinstance(saved.normalise, Preprocessing):
        raise InputError(f"{path}: expected a model adapted from a published network, found one trained from scratch")
    arrays = {published_name(name): parameter.value for name, parameter in saved.model.parameters().items()}
    return arrays, saved.normalise
