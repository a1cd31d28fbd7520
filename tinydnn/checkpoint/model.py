"""A model in a file, with what it needs to treat a new image as it treated the training images."""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from tinydnn import layers
from tinydnn.backend import to_device
from tinydnn.checkpoint.sealed import open_sealed, write_sealed
from tinydnn.data.prepare.crop import WHOLE, Crop
from tinydnn.data.preprocessing import AnyNormalisation, normalisation_config, normalisation_from
from tinydnn.errors import InputError
from tinydnn.layers import Concat, Layer, Sequential
from tinydnn.layers.layer import Shape
from tinydnn.training.views import VIEWS

MAX_SIDE = 4096  # pixels of an input image; more is damage, and must not ask for all the memory there is
LAYERS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        layers.AvgPool2d,
        layers.BatchNorm2d,
        layers.Concat,
        layers.Conv2d,
        layers.Dropout,
        layers.Flatten,
        layers.GlobalAvgPool2d,
        layers.Linear,
        layers.MaxPool2d,
        layers.ReLU,
        layers.RegionVote,
        layers.Sequential,
        layers.Sigmoid,
    )
}


@dataclass(frozen=True)
class SavedModel:
    """A model together with what it needs to treat a new image as it treated the training images."""

    model: Sequential
    normalise: AnyNormalisation
    class_names: tuple[str, ...]
    crop: Crop = WHOLE
    views: int = 1  # of each picture, whose answers are averaged

    @property
    def size(self) -> int:
        """Pixels along each side of an input image, which is square and grey; `InputError` where it is not."""
        shape, channels = self.model.input_shape, self.normalise.channels
        if shape is None or shape != (channels, shape[-1], shape[-1]):
            expected = "one channel" if channels == 1 else f"{channels} channels"
            raise InputError(f"model: expected one for square pictures of {expected}, found input shape {shape}")
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
    file.attrs["normalisation"] = json.dumps(normalisation_config(saved.normalise))
    file.attrs["crop"], file.attrs["views"] = str(saved.crop), saved.views
    for name, layer in saved.model.named_layers():
        _write_layer(file.create_group(f"layers/{name}"), layer)


def _write_layer(group: h5py.Group, layer: Layer) -> None:
    kind = type(layer).__name__
    if LAYERS.get(kind) is not type(layer):
        name = group.name.removeprefix("/layers/")
        raise TypeError(f"{name}: expected a layer that a file can describe ({', '.join(LAYERS)}), found {kind}")
    group.attrs["kind"] = kind
    if isinstance(layer, Sequential | Concat):
        for name, inner in layer.named_layers():
            _write_layer(group.create_group(name), inner)
        return
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
    normalise = normalisation_from(json.loads(file.attrs["normalisation"]))
    crop, views = Crop.parse(str(file.attrs.get("crop", "none"))), int(file.attrs.get("views", 1))
    if views not in VIEWS:
        raise ValueError(f"views: expected one of {', '.join(map(str, VIEWS))}, found {views}")
    model = _read_chain(file["layers"], input_shape=shape)
    # A picture of zeros shows whether the layers fit each other, the picture and the classes.
    logits = model.predict(normalise(np.zeros((1, *shape), np.uint8)))
    if logits.shape != (1, len(class_names)):
        raise ValueError(f"expected a logit for each of {len(class_names)} classes, found shape {logits.shape[1:]}")
    return SavedModel(model, normalise, tuple(class_names), crop, views)


def _read_layer(group: h5py.Group) -> Layer:
    kind = str(group.attrs["kind"])
    if kind not in LAYERS:
        raise ValueError(f"{group.name}: expected a layer of {', '.join(LAYERS)}, found {kind[:50]!r}")
    if kind == "Sequential":
        return _read_chain(group)
    if kind == "Concat":
        return Concat(*(_read_chain(group[name]) for name in _in_order(group)))
    # The numbers drawn here are overwritten by the file's; a dropout goes on from a checkpoint's random state.
    random = {"rng": np.random.default_rng(0)} if kind in ("Conv2d", "Linear", "Dropout") else {}
    layer = LAYERS[kind](**json.loads(group.attrs["arguments"]), **random)
    layer.load_state({key: group[key][...] for key in group})
    return layer


def _read_chain(group: h5py.Group, input_shape: Shape | None = None) -> Sequential:
    names = _in_order(group)
    layers = [_read_layer(group[name]) for name in names]
    return Sequential(*layers, names=[name.split("-", 1)[1] for name in names], input_shape=input_shape)


def _in_order(group: h5py.Group) -> list[str]:
    """The layers, which are called "NN-name"."""
    return sorted(group, key=lambda name: int(name.split("-")[0]))
