"""Keras's HDF5: a group for each layer, a dataset for each of its weights."""

from pathlib import Path

import h5py
import numpy as np

from tinydnn.backend import Array
from tinydnn.checkpoint.sealed import READ_ERRORS, members, one_line
from tinydnn.errors import InputError


def read(path: Path) -> dict[str, Array]:
    """The floating-point arrays by path, "layer/…/name". Raises `InputError` if the file is damaged or has links."""
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)  # the group of the weights in the file of a complete model
            return {
                name: np.asarray(item[...])
                for name, item in members(root)
                if isinstance(item, h5py.Dataset) and item.dtype.kind == "f"
            }
    except READ_ERRORS as error:
        raise InputError(
            f"{path}: expected an intact HDF5 file of weights, found one that cannot be read: {one_line(error)}"
        ) from None
