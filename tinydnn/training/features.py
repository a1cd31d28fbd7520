"""Features: the output of a network's frozen layers for every slice, computed once and cached in a file.

A file of features is plain HDF5. Root attributes: format, version, key (a digest of all that the features depend on),
layer (the last one computed), class_names, normalisation. Datasets, a row per slice: feature (N, …) float32,
label (counts from 0), patient (the PID's family), file.
"""

import hashlib
import json
import shutil
from pathlib import Path

import h5py
import numpy as np

from tinydnn import ops
from tinydnn.backend import to_device
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import AnyNormalisation, normalisation_config
from tinydnn.data.prepare.convert import Progress
from tinydnn.errors import InputError
from tinydnn.layers import Sequential
from tinydnn.storage import atomic_write, cache_folder

FORMAT, VERSION = "tinydnn-features", 1
_BATCH = 32


def cached_features(
    dataset: Dataset,
    prefix: Sequential,
    normalise: AnyNormalisation,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Dataset:
    """The dataset with features instead of images, from a file in the cache folder, which is written if missing.

    The file's key is a digest of all that the features depend on: a changed pixel, weight or kernel gives a new file.
    """
    key = _key(dataset, prefix, normalise, device)
    path = cache_folder() / f"features-{key[:32]}-v{VERSION}.h5"
    try:
        return open_features(path, dataset)
    except InputError:  # missing or damaged
        write_features(path, dataset, prefix, normalise, device=device, progress=progress)
    return open_features(path, dataset)


def write_features(
    path: Path,
    dataset: Dataset,
    prefix: Sequential,
    normalise: AnyNormalisation,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> None:
    """Compute the features of every slice and write them, a batch in memory at a time."""
    shape = feature_shape(dataset, prefix, normalise, device)
    size = len(dataset) * int(np.prod(shape)) * 4
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if free < size:  # HDF5 aborts the whole process when the disk is full
        raise InputError(f"{path}: expected {size >> 20} MB of free disk for the features, found {free >> 20} MB")
    with atomic_write(path) as temporary, h5py.File(temporary, "w") as file:
        rows = file.create_dataset("feature", (len(dataset), *shape), np.float32, chunks=(1, *shape))
        for start in range(0, len(dataset), _BATCH):
            indices = np.arange(start, min(start + _BATCH, len(dataset)))
            x = to_device(normalise(dataset.read(indices)), device)
            rows[start : start + len(indices)] = to_device(prefix.predict(x), "cpu")
            if progress is not None:
                progress(start + len(indices), len(dataset))
        file["label"] = dataset.labels
        file.create_dataset("patient", data=dataset.patients.astype(object), dtype=h5py.string_dtype())
        file.create_dataset("file", data=np.array(dataset.files, object), dtype=h5py.string_dtype())
        file.attrs["class_names"] = list(dataset.class_names)
        file.attrs["layer"] = prefix.names[-1]
        file.attrs["normalisation"] = json.dumps(normalisation_config(normalise))
        file.attrs["key"] = _key(dataset, prefix, normalise, device)
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION


def open_features(path: Path, dataset: Dataset) -> Dataset:
    """`dataset` with the features of a file instead of its images; the file stays open and is read row by row."""
    try:
        file = h5py.File(path, "r")
        file_format, rows = file.attrs["format"], file["feature"]
        if file_format != FORMAT or rows.dtype != np.float32 or len(rows) != len(dataset):
            raise ValueError("not the features of this dataset")
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: expected a file of features ({str(error)[:100]})") from None
    return Dataset(
        images=rows,
        labels=dataset.labels,
        patients=dataset.patients,
        class_names=dataset.class_names,
        synthetic=dataset.synthetic,
    )


def feature_shape(dataset: Dataset, prefix: Sequential, normalise: AnyNormalisation, device: str) -> tuple[int, ...]:
    """The shape of the features of one slice."""
    image = normalise(np.zeros((1, *dataset.images.shape[1:]), np.uint8))
    shape: tuple[int, ...] = prefix.predict(to_device(image, device)).shape[1:]
    return shape


def _key(dataset: Dataset, prefix: Sequential, normalise: AnyNormalisation, device: str) -> str:
    """A digest of the images, of the layers and their weights, and of the implementations that compute them."""
    image = normalise(np.zeros((1, *dataset.images.shape[1:]), np.uint8))
    with ops.trace() as calls:
        prefix.predict(to_device(image, device))
    layers = [(name, type(layer).__name__, layer.config()) for name, layer in prefix.named_layers()]
    implementations = [f"{call.operation}: {call.implementation}" for call in calls]
    description = [dataset.images.shape, layers, implementations, normalisation_config(normalise)]
    digest = hashlib.sha256(json.dumps(description).encode())
    for value in prefix.state().values():
        digest.update(np.ascontiguousarray(to_device(value, "cpu")).tobytes())
    for start in range(0, len(dataset), _BATCH):
        digest.update(dataset.read(np.arange(start, min(start + _BATCH, len(dataset)))).tobytes())
    return digest.hexdigest()
