"""Naming conventions of weight files, and their translation to torchvision's.

tinydnn names arrays as torchvision does, "features.0.weight": module, index of the layer, kind of parameter. Keras,
Caffe and timm use other names, and partly other memory layouts and another preprocessing of the images.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tinydnn.backend import Array
from tinydnn.data.normalise import CAFFE, TORCHVISION, Preprocessing
from tinydnn.errors import InputError

# SqueezeNet 1.1 in Caffe: conv1, fire2 … fire9, conv10.
_SQUEEZENET = {"conv1": "features.0", "conv10": "classifier.1"} | {
    f"fire{number}/{caffe}": f"features.{layer}.{torchvision}"
    for number, layer in zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True)
    for caffe, torchvision in (("squeeze1x1", "squeeze"), ("expand1x1", "expand1x1"), ("expand3x3", "expand3x3"))
}
# VGG-16 in Keras: block1_conv1, block1_conv2, block2_conv1 …
_VGG16 = {
    f"block{block}_conv{convolution}": f"features.{layer}"
    for block, layers in enumerate(((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)), start=1)
    for convolution, layer in enumerate(layers, start=1)
} | {"fc1": "classifier.0", "fc2": "classifier.3", "predictions": "classifier.6"}
_TIMM = {"pre_logits.fc1": "classifier.0", "pre_logits.fc2": "classifier.3", "head.fc": "classifier.6"}
_KINDS = {"kernel": "weight", "W": "weight", "bias": "bias", "b": "bias"}


def translate(path: Path, arrays: Mapping[str, Array]) -> tuple[dict[str, Array], Preprocessing, str]:
    """The arrays under torchvision's names, the preprocessing of their network, and the file's convention."""
    if any(name.startswith("block1_conv1/") for name in arrays):
        return _from_keras(path, arrays), CAFFE, "Keras"
    if any(name.startswith("fire2/") for name in arrays):
        return {_from_caffe(name): array for name, array in arrays.items()}, CAFFE, "Caffe"
    if any(name.startswith("pre_logits.") for name in arrays):
        return dict(_from_timm(name, array) for name, array in arrays.items()), TORCHVISION, "timm"
    return dict(arrays), TORCHVISION, "torchvision"


def published_name(name: str) -> str:
    """The torchvision name of a parameter of a tinydnn model: without layer numbers and containers.

    "03-features.3/02-concat/00-sequential/00-expand1x1/weight" becomes "features.3.expand1x1.weight".
    """
    layers = [re.sub(r"^\d+-", "", layer) for layer in name.split("/")]
    return ".".join(layer for layer in layers if layer not in ("concat", "sequential"))


def _from_caffe(name: str) -> str:
    """SqueezeNet: "fire2/squeeze1x1.weight" becomes "features.3.squeeze.weight"."""
    layer, _, kind = name.rpartition(".")
    return f"{_SQUEEZENET[layer]}.{kind}" if layer in _SQUEEZENET else name


def _from_timm(name: str, array: Array) -> tuple[str, Array]:
    """In timm, the first two fully connected layers of VGG are stored as convolutions."""
    layer, _, kind = name.rpartition(".")
    if layer not in _TIMM:
        return name, array
    return f"{_TIMM[layer]}.{kind}", array.reshape(len(array), -1) if kind == "weight" else array


def _from_keras(path: Path, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Keras stores convolutions as (kh, kw, C, O) and matrices as (in, out), and flattens images as (H, W, C)."""
    translated: dict[str, Array] = {}
    for name, array in arrays.items():
        layer, last = name.split("/")[0], name.split("/")[-1]
        kind = _KINDS.get(re.sub(r"(_\d+)?(:0)?$", "", last.removeprefix(f"{layer}_")))
        if layer not in _VGG16 or kind is None:
            translated[name] = array
            continue
        if kind == "weight" and array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        elif kind == "weight" and layer == "fc1":
            if array.ndim != 2 or array.shape[0] != 7 * 7 * 512:
                raise InputError(f"{path}: fc1: expected a kernel of shape (25088, 4096), found {array.shape}")
            array = array.reshape(7, 7, 512, -1).transpose(3, 2, 0, 1).reshape(array.shape[1], -1)
        elif kind == "weight":
            array = array.T
        translated[f"{_VGG16[layer]}.{kind}"] = np.ascontiguousarray(array)
    return translated
