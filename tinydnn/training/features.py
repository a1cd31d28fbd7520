"""What the frozen front of a network makes of every slice: computed once, kept in a file, and trained on from there.

A file of features is plain HDF5. Root attributes: format, version, key (a digest of all that the features depend on),
layer (the last one that took part), class_names, normalisation. Datasets, a row per slice: feature (N, …) float32,
label (counts from 0), patient (the PID's family), file.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from tinydnn import ops
from tinydnn.backend import to_device
from tinydnn.data.dataset import Dataset
from tinydnn.data.preprocessing import AnyNormalisation, normalisation_config
from tinydnn.errors import InputError
from tinydnn.layers import Sequential
from tinydnn.storage import atomic_write, cache_folder

FORMAT, VERSION = "tinydnn-features", 1
_BATCH = 32

Progress = Callable[[int, int], None]  # slices done, slices in all


def kept(
    dataset: Dataset,
    front: Sequential,
    normalise: AnyNormalisation,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Dataset:
    """The dataset with features in place of pictures, from a file in the cache folder that is made if it is not there.

    It is found by what the features depend on: a pixel, a weight or a kernel that changes makes a new one.
    """
    key = _key(dataset, front, normalise, device)
    path = cache_folder() / f"features-{key[:32]}-v{VERSION}.h5"
    try:
        return open_features(path, dataset)
    except InputError:  # not there yet, or damaged
        write_features(path, dataset, front, normalise, device=device, progress=progress)
    return open_features(path, dataset)


def write_features(
    path: Path,
    dataset: Dataset,
    front: Sequential,
    normalise: AnyNormalisation,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> None:
    """Send every slice through `front` and write what comes out, a few slices in memory at a time."""
    shape = feature_shape(dataset, front, normalise, device)
    needed = len(dataset) * int(np.prod(shape)) * 4
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if free < needed:  # HDF5 ends the whole process when a disk runs full under it
        raise InputError(f"{path}: expected {needed >> 20} MB of free disk for the features, found {free >> 20} MB")
    with atomic_write(path) as temporary, h5py.File(temporary, "w") as file:
        rows = file.create_dataset("feature", (len(dataset), *shape), np.float32, chunks=(1, *shape))
        for start in range(0, len(dataset), _BATCH):
            indices = np.arange(start, min(start + _BATCH, len(dataset)))
            x = to_device(normalise(dataset.read(indices)), device)
            rows[start : start + len(indices)] = to_device(front.predict(x), "cpu")
            if progress is not None:
                progress(start + len(indices), len(dataset))
        file["label"] = dataset.labels
        file.create_dataset("patient", data=dataset.patients.astype(object), dtype=h5py.string_dtype())
        file.create_dataset("file", data=np.array(dataset.files, object), dtype=h5py.string_dtype())
        file.attrs["class_names"] = list(dataset.class_names)
        file.attrs["layer"] = front.names[-1]
        file.attrs["normalisation"] = json.dumps(normalisation_config(normalise))
        file.attrs["key"] = _key(dataset, front, normalise, device)
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION


def open_features(path: Path, dataset: Dataset) -> Dataset:
    """`dataset` with the features of a file in place of its pictures; the file stays open and is read row by row."""
    try:
        file = h5py.File(path, "r")
        if (
            file.attrs["format"] != FORMAT
            or file["feature"].dtype != np.float32
            or len(file["feature"]) != len(dataset)
        ):
            raise ValueError("not the features of this dataset")
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: expected a file of features ({str(error)[:100]})") from None
    return Dataset(
        images=file["feature"],
        labels=dataset.labels,
        patients=dataset.patients,
        class_names=dataset.class_names,
        synthetic=dataset.synthetic,
    )


def feature_shape(dataset: Dataset, front: Sequential, normalise: AnyNormalisation, device: str) -> tuple[int, ...]:
    """The shape of what `front` makes of one slice."""
    picture = normalise(np.zeros((1, *dataset.images.shape[1:]), np.uint8))
    shape: tuple[int, ...] = front.predict(to_device(picture, device)).shape[1:]
    return shape


def _key(dataset: Dataset, front: Sequential, normalise: AnyNormalisation, device: str) -> str:
    """A digest of the pictures, of the front and its weights, and of what computes them."""
    picture = normalise(np.zeros((1, *dataset.images.shape[1:]), np.uint8))
    with ops.trace() as calls:
        front.predict(to_device(picture, device))
    layers = [(name, type(layer).__name__, layer.config()) for name, layer in front.named_layers()]
    ran = [f"{call.operation}: {call.implementation}" for call in calls]
    described = [dataset.images.shape, layers, ran, normalisation_config(normalise)]
    digest = hashlib.sha256(json.dumps(described).encode())
    for value in front.state().values():
        digest.update(np.ascontiguousarray(to_device(value, "cpu")).tobytes())
    for start in range(0, len(dataset), _BATCH):
        digest.update(dataset.read(np.arange(start, min(start + _BATCH, len(dataset)))).tobytes())
    return digest.hexdigest()
