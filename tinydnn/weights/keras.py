"""Keras's HDF5: a group for each layer, an array for each of its weights."""

from pathlib import Path

import h5py
import numpy as np

from tinydnn.backend import Array
from tinydnn.checkpoint.sealed import members
from tinydnn.errors import InputError


def read(path: Path) -> dict[str, Array]:
    """The arrays by "layer/…/name". Raises `InputError` where the file is damaged or its links lead elsewhere."""
    try:
        with h5py.File(path, "r") as file:
            # A file of a whole model has its weights in a group of their own.
            root = file.get("model_weights", file)
            return {
                name: np.asarray(item[...])
                for name, item in members(root, "")
                if isinstance(item, h5py.Dataset) and item.dtype.kind == "f"
            }
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        reason = " ".join(str(error).split())[:150]
        raise InputError(
            f"{path}: expected a whole HDF5 file of weights, found one that cannot be read: {reason}"
        ) from None
