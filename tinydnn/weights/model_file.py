"""The weights of a tinydnn model file."""

from pathlib import Path

import h5py

from tinydnn.backend import Array
from tinydnn.checkpoint import load_model
from tinydnn.checkpoint.sealed import FORMAT
from tinydnn.data.normalise import AnyNormalisation, Preprocessing
from tinydnn.weights.names import published_name


def is_model_file(path: Path) -> bool:
    """Whether an HDF5 file declares itself a tinydnn model."""
    try:
        with h5py.File(path, "r") as file:
            return str(file.attrs.get("format")) == FORMAT
    except (OSError, RuntimeError, ValueError):
        return False


def read(path: Path) -> tuple[dict[str, Array], AnyNormalisation]:
    """The arrays and the normalisation.

    The arrays have published names if the model was adapted from a published network; otherwise, names as in the file,
    because those of its layers repeat without their numbers.
    """
    saved = load_model(path)
    arrays = saved.model.state()
    if isinstance(saved.normalise, Preprocessing):
        arrays = {published_name(name): array for name, array in arrays.items()}
    return arrays, saved.normalise
