"""A model in a file, with what it needs to treat a new image as it treated the training images."""

import json
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path

import h5py
import numpy as np

from tinydnn import layers
from tinydnn.backend import to_device
from tinydnn.checkpoint.sealed import open_sealed, write_sealed
from tinydnn.data.crop import WHOLE, Crop
from tinydnn.data.normalise import Normalisation
from tinydnn.errors import InputError
from tinydnn.layers import Layer, Sequential
from tinydnn.prediction import VIEWS

MAX_SIDE = 4096  # pixels of an input image; more is damage, and must not ask for all the memory there is
LAYERS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        layers.AvgPool2d,
        layers.BatchNorm2d,
        layers.Conv2d,
        layers.Dropout,
        layers.Flatten,
        layers.GlobalAvgPool2d,
        layers.Linear,
        layers.MaxPool2d,
        layers.ReLU,
        layers.RegionVote,
        layers.Sigmoid,
    )
}


@dataclass(frozen=True)
class SavedModel:
    """A model together with what it needs to treat a new image as it treated the training images."""

    model: Sequential
    normalise: Normalisation
    class_names: tuple[str, ...]
    crop: Crop = WHOLE
    views: int = 1  # of each picture, whose answers are averaged

    @property
    def size(self) -> int:
        """Pixels along each side of an input image, which is square and grey; `InputError` where it is not."""
        shape = self.model.input_shape
        if shape is None or shape != (1, shape[-1], shape[-1]):
            raise InputError(f"model: expected one for square pictures of one channel, found input shape {shape}")
        return shape[-1]


def save_model(path: str | Path, saved: SavedModel) -> None:
    """Write the model whole or not at all. Raises `TypeError` for layers that a file cannot describe."""
    with write_sealed(path) as file:
        write_model(file, saved)


def load_model(path: str | Path) -> SavedModel:
    """Read a model that `save_model` or `save_checkpoint` wrote, as float32. Raises `InputError` for anything else."""
    with open_sealed(path) as file:
        return read_model(file)


def write_model(file: h5py.File, saved: SavedModel) -> None:
    """Put the model into an open file."""
    if saved.model.input_shape is None:
        raise ValueError("model: expected an input_shape (C, H, W), which a file must know, found none")
    file.attrs["input_shape"] = saved.model.input_shape
    file.attrs["class_names"] = json.dumps(saved.class_names)
    file.attrs["normalisation"] = json.dumps(asdict(saved.normalise))
    file.attrs["crop"], file.attrs["views"] = str(saved.crop), saved.views
    for name, layer in saved.model.named_layers():
        kind = type(layer).__name__
        if LAYERS.get(kind) is not type(layer):
            raise TypeError(f"{name}: expected a layer that a file can describe ({', '.join(LAYERS)}), found {kind}")
        group = file.create_group(f"layers/{name}")
        group.attrs["kind"] = kind
        group.attrs["arguments"] = json.dumps(layer.config())
        for key, array in layer.state().items():
            group[key] = to_device(array, "cpu")


def read_model(file: h5py.File) -> SavedModel:
    """The model in an open file; `ValueError` or another of the usual errors where it makes no sense."""
    shape = tuple(int(size) for size in file.attrs["input_shape"])
    if len(shape) != 3 or not all(1 <= size <= MAX_SIDE for size in shape):
        raise ValueError(f"input_shape: expected (C, H, W) of 1 to {MAX_SIDE}, found {shape}")
    class_names = json.loads(file.attrs["class_names"])
    if not isinstance(class_names, list) or not all(isinstance(name, str) for name in class_names):
        raise ValueError("class_names: expected a list of names, found something else")
    normalise = Normalisation(**json.loads(file.attrs["normalisation"]))
    if not (isfinite(normalise.shift) and isfinite(normalise.scale) and normalise.scale > 0):
        raise ValueError(f"normalisation: expected a finite shift and a scale above 0, found {normalise}")
    crop, views = Crop.parse(str(file.attrs.get("crop", "none"))), int(file.attrs.get("views", 1))
    if views not in VIEWS:
        raise ValueError(f"views: expected one of {', '.join(map(str, VIEWS))}, found {views}")
    names = sorted(file["layers"], key=lambda name: int(name.split("-")[0]))
    model = Sequential(*(_read_layer(file["layers"][name]) for name in names), input_shape=shape)
    # A picture of zeros shows whether the layers fit each other, the picture and the classes.
    logits = model.predict(normalise(np.zeros((1, *shape), np.uint8)))
    if logits.shape != (1, len(class_names)):
        raise ValueError(f"expected a logit for each of {len(class_names)} classes, found shape {logits.shape[1:]}")
    return SavedModel(model, normalise, tuple(class_names), crop, views)


def _read_layer(group: h5py.Group) -> Layer:
    kind = str(group.attrs["kind"])
    if kind not in LAYERS:
        raise ValueError(f"{group.name}: expected a layer of {', '.join(LAYERS)}, found {kind[:50]!r}")
    # The numbers drawn here are overwritten by the file's; a dropout goes on from a checkpoint's random state.
    random = {"rng": np.random.default_rng(0)} if kind in ("Conv2d", "Linear", "Dropout") else {}
    layer = LAYERS[kind](**json.loads(group.attrs["arguments"]), **random)
    layer.load_state({key: group[key][...] for key in group})
    return layer
