"""A model file: the layers, and how to prepare new images for them."""

import json
import re
from dataclasses import dataclass
from inspect import signature
from pathlib import Path

import h5py
import numpy as np

from tinydnn import layers
from tinydnn.backend import Array, to_device
from tinydnn.checkpoint.patients import DIGITS
from tinydnn.checkpoint.sealed import open_sealed, write_sealed
from tinydnn.data.crop import WHOLE, Crop
from tinydnn.data.normalise import AnyNormalisation, normalisation_config, normalisation_from
from tinydnn.errors import InputError
from tinydnn.layers import Concat, Layer, Residual, Sequential
from tinydnn.layers.layer import Shape
from tinydnn.ops import softmax
from tinydnn.training.views import VIEWS, mean_logits

MAX_SIDE = 4096  # pixels of an input image; a damaged file must not make the reader allocate all memory
LAYERS: dict[str, type[Layer]] = {
    layer.__name__: layer
    for layer in (
        layers.AttentionPool2d, layers.AvgPool2d, layers.BatchNorm2d, layers.ChannelMeanMax, layers.Concat,
        layers.Conv2d, layers.Dropout, layers.Flatten, layers.GELU, layers.GlobalAvgPool2d, layers.LayerNorm,
        layers.Linear, layers.MaxPool2d, layers.PositionalEmbedding, layers.ReLU, layers.RegionVote, layers.Residual,
        layers.SelfAttention, layers.Sequential, layers.Sigmoid, layers.SpatialAttention, layers.SqueezeExcitation,
        layers.TokenMean, layers.Tokens,
    )
}  # fmt: skip


@dataclass(frozen=True)
class SavedModel:
    """A model, with everything needed to prepare a new image like the training images.

    training_patients: `hash_patients` of the training and validation sets; None if unknown.
    """

    model: Sequential
    normalise: AnyNormalisation
    class_names: tuple[str, ...]
    crop: Crop = WHOLE
    views: int = 1  # views of each image whose logits are averaged
    training_patients: frozenset[str] | None = None

    @property
    def size(self) -> int:
        """Pixels along each side of an input image. Raises `InputError` unless the input is square."""
        shape, channels = self.model.input_shape, self.normalise.channels
        if shape is None or shape != (channels, shape[-1], shape[-1]):
            expected = "one channel" if channels == 1 else f"{channels} channels"
            raise InputError(f"model: expected square input images of {expected}, found input shape {shape}")
        return shape[-1]

    def probabilities(self, x: Array) -> Array:
        """The probability of each class, (N, K), from the logits averaged over the views. x: (N, C, S, S)."""
        return softmax(mean_logits(self.model, x, self.views))


def save_model(path: str | Path, saved: SavedModel) -> None:
    """Write the model atomically. Raises `TypeError` for layers other than tinydnn's own."""
    with write_sealed(path) as file:
        write_model(file, saved)


def load_model(path: str | Path) -> SavedModel:
    """Read a model, as float32, from a file of `save_model` or `save_checkpoint`. Raises `InputError` if it is none."""
    with open_sealed(path) as file:
        return read_model(file)


def write_model(file: h5py.File, saved: SavedModel) -> None:
    """Write the model to an open file."""
    if saved.model.input_shape is None:
        raise ValueError("model: expected an input_shape (C, H, W), which a model file requires, found none")
    file.attrs["input_shape"] = saved.model.input_shape
    file.attrs["class_names"] = json.dumps(saved.class_names)
    file.attrs["normalisation"] = json.dumps(normalisation_config(saved.normalise))
    file.attrs["crop"], file.attrs["views"] = str(saved.crop), saved.views
    if saved.training_patients is not None:  # a dataset: attributes hold at most 64 KiB
        file["training_patients"] = np.array(sorted(saved.training_patients), f"S{DIGITS}")
    for name, layer in saved.model.named_layers():
        _write_layer(file.create_group(f"layers/{name}"), layer)


def _write_layer(group: h5py.Group, layer: Layer) -> None:
    kind = type(layer).__name__
    if LAYERS.get(kind) is not type(layer):
        name = group.name.removeprefix("/layers/")
        raise TypeError(f"{name}: expected a layer that can be saved ({', '.join(LAYERS)}), found {kind}")
    group.attrs["kind"] = kind
    if isinstance(layer, Sequential | Concat | Residual):
        for name, inner in layer.named_layers():
            _write_layer(group.create_group(name), inner)
        return
    group.attrs["arguments"] = json.dumps(layer.config())
    for key, array in layer.state().items():
        group[key] = to_device(array, "cpu")


def read_model(file: h5py.File) -> SavedModel:
    """Read the model from an open file. Raises `ValueError` or another of `READ_ERRORS` if the contents are invalid."""
    shape = tuple(int(size) for size in file.attrs["input_shape"])
    if len(shape) != 3 or not all(1 <= size <= MAX_SIDE for size in shape):
        raise ValueError(f"input_shape: expected (C, H, W) of 1 to {MAX_SIDE}, found {shape}")
    class_names = json.loads(file.attrs["class_names"])
    if not isinstance(class_names, list) or not all(isinstance(name, str) for name in class_names):
        raise ValueError("class_names: expected a list of strings, found something else")
    normalise = normalisation_from(json.loads(file.attrs["normalisation"]))
    crop, views = Crop.parse(str(file.attrs.get("crop", "none"))), int(file.attrs.get("views", 1))
    if views not in VIEWS:
        raise ValueError(f"views: expected one of {', '.join(map(str, VIEWS))}, found {views}")
    model = _read_sequential(file["layers"], input_shape=shape)
    # A forward pass of zeros checks that the layers fit each other, the input shape and the classes.
    logits = model.predict(normalise(np.zeros((1, *shape), np.uint8)))
    if logits.shape != (1, len(class_names)):
        raise ValueError(f"expected a logit for each of {len(class_names)} classes, found shape {logits.shape[1:]}")
    return SavedModel(model, normalise, tuple(class_names), crop, views, _read_training_patients(file))


def _read_training_patients(file: h5py.File) -> frozenset[str] | None:
    if "training_patients" not in file:
        return None
    hashes = [value.decode() for value in file["training_patients"][...].tolist()]
    if not all(re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", value) for value in hashes):
        raise ValueError(f"training_patients: expected hashes of {DIGITS} hex digits, found something else")
    return frozenset(hashes)


def _read_layer(group: h5py.Group) -> Layer:
    kind = str(group.attrs["kind"])
    if kind not in LAYERS:
        raise ValueError(f"{group.name}: expected a layer of tinydnn, found {kind[:50]!r}")
    if kind == "Sequential":
        return _read_sequential(group)
    if kind == "Concat":
        return Concat(*(_read_sequential(group[name]) for name in _ordered(group)))
    if kind == "Residual":
        (branch,) = group.values()
        return Residual(_read_sequential(branch))
    # The weights drawn here are overwritten from the file; the random state of dropout, from a checkpoint.
    random = {"rng": np.random.default_rng(0)} if "rng" in signature(LAYERS[kind]).parameters else {}
    layer = LAYERS[kind](**json.loads(group.attrs["arguments"]), **random)
    layer.load_state(_arrays(group))
    return layer


def _arrays(group: h5py.Group) -> dict[str, np.ndarray]:
    """The arrays of a layer and of the layers it is made of, by name: "weight", "qkv/weight"."""
    arrays = {}

    def collect(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[...]

    group.visititems(collect)
    return arrays


def _read_sequential(group: h5py.Group, input_shape: Shape | None = None) -> Sequential:
    names = _ordered(group)
    layers = [_read_layer(group[name]) for name in names]
    return Sequential(*layers, names=[name.split("-", 1)[1] for name in names], input_shape=input_shape)


def _ordered(group: h5py.Group) -> list[str]:
    """The names of the layers, "NN-name", in the order of their numbers (HDF5 sorts "100" before "11")."""
    return sorted(group, key=lambda name: int(name.split("-")[0]))
