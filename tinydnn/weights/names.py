"""Whose names a file has, and what they are called here.

Here an array is called as torchvision does, "features.0.weight": part, number of the layer, and what it is. Others name
the same layers otherwise, lay them out otherwise, or want to see other numbers.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tinydnn.backend import Array
from tinydnn.data.preprocessing import CAFFE, TORCHVISION, Preprocessing
from tinydnn.errors import InputError

# SqueezeNet 1.1 as Caffe names it: conv1, fire2 … fire9, conv10.
_SQUEEZENET = {"conv1": "features.0", "conv10": "classifier.1"} | {
    f"fire{number}/{theirs}": f"features.{layer}.{ours}"
    for number, layer in zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True)
    for theirs, ours in (("squeeze1x1", "squeeze"), ("expand1x1", "expand1x1"), ("expand3x3", "expand3x3"))
}
# Keras counts blocks and convolutions: block1_conv1, block1_conv2, block2_conv1 …
_VGG16 = {
    f"block{block}_conv{convolution}": f"features.{layer}"
    for block, layers in enumerate(((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)), start=1)
    for convolution, layer in enumerate(layers, start=1)
} | {"fc1": "classifier.0", "fc2": "classifier.3", "predictions": "classifier.6"}
_TIMM = {"pre_logits.fc1": "classifier.0", "pre_logits.fc2": "classifier.3", "head.fc": "classifier.6"}
_KINDS = {"kernel": "weight", "W": "weight", "bias": "bias", "b": "bias"}


def translated(path: Path, arrays: Mapping[str, Array]) -> tuple[dict[str, Array], Preprocessing, str]:
    """The arrays under the names used here, how the network wants its pictures, and whose names the file has."""
    if any(name.startswith("block1_conv1/") for name in arrays):
        return _from_keras(path, arrays), CAFFE, "Keras"
    if any(name.startswith("fire2/") for name in arrays):
        return {_from_caffe(name): array for name, array in arrays.items()}, CAFFE, "Caffe"
    if any(name.startswith("pre_logits.") for name in arrays):
        return dict(_from_timm(name, array) for name, array in arrays.items()), TORCHVISION, "timm"
    return dict(arrays), TORCHVISION, "torchvision"


def plain(name: str) -> str:
    """The published name of a model's parameter, without numbers and without what only holds others.

    "03-features.3/02-concat/00-sequential/00-expand1x1/weight" is "features.3.expand1x1.weight".
    """
    parts = [re.sub(r"^\d+-", "", part) for part in name.split("/")]
    return ".".join(part for part in parts if part not in ("concat", "sequential"))


def _from_caffe(name: str) -> str:
    """SqueezeNet's "fire2/squeeze1x1.weight" is "features.3.squeeze.weight"."""
    layer, _, kind = name.rpartition(".")
    return f"{_SQUEEZENET[layer]}.{kind}" if layer in _SQUEEZENET else name


def _from_timm(name: str, array: Array) -> tuple[str, Array]:
    """The library timm keeps VGG's first two matrices as convolutions."""
    layer, _, kind = name.rpartition(".")
    if layer not in _TIMM:
        return name, array
    return f"{_TIMM[layer]}.{kind}", array.reshape(len(array), -1) if kind == "weight" else array


def _from_keras(path: Path, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Keras keeps convolutions as (kh, kw, C, O), matrices as (in, out), and flattens pictures as (H, W, C)."""
    found: dict[str, Array] = {}
    for name, array in arrays.items():
        layer, last = name.split("/")[0], name.split("/")[-1]
        kind = _KINDS.get(re.sub(r"(_\d+)?(:0)?$", "", last.removeprefix(f"{layer}_")))
        if layer not in _VGG16 or kind is None:
            found[name] = array
            continue
        if kind == "weight" and array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        elif kind == "weight" and layer == "fc1":
            if array.ndim != 2 or array.shape[0] != 7 * 7 * 512:
                raise InputError(f"{path}: fc1: expected a kernel of shape (25088, 4096), found {array.shape}")
            array = array.reshape(7, 7, 512, -1).transpose(3, 2, 0, 1).reshape(array.shape[1], -1)
        elif kind == "weight":
            array = array.T
        found[f"{_VGG16[layer]}.{kind}"] = np.ascontiguousarray(array)
    return found
