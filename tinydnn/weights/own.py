"""The weights in a model that tinydnn has saved."""

from pathlib import Path

import h5py

from tinydnn.backend import Array
from tinydnn.checkpoint import load_model
from tinydnn.checkpoint.sealed import FORMAT
from tinydnn.data.preprocessing import Preprocessing
from tinydnn.errors import InputError
from tinydnn.weights.names import plain


def is_own(path: Path) -> bool:
    """Whether an HDF5 file says that it is a tinydnn model."""
    try:
        with h5py.File(path, "r") as file:
            return str(file.attrs.get("format")) == FORMAT
    except (OSError, RuntimeError, ValueError):
        return False


def read(path: Path) -> tuple[dict[str, Array], Preprocessing]:
    """The arrays by published name, and the preprocessing. Raises `InputError` for a network of another kind."""
    saved = load_model(path)
    if not isinstance(saved.normalise, Preprocessing):
        raise InputError(f"{path}: expected a model made from a published network, found one trained from scratch")
    return {plain(name): one.value for name, one in saved.model.parameters().items()}, saved.normalise
