"""A pretrained trunk with a new head."""

from collections.abc import Callable

import numpy as np

from tinydnn.errors import InputError
from tinydnn.layers import Flatten, GlobalAvgPool2d, Layer, Linear, ReLU, Sequential
from tinydnn.models.imagenet import NETWORKS
from tinydnn.models.paper import classifier, dropout

HIDDEN = 256


def adapted(name: str, *, head: str, image_size: int, classes: int, seed: int) -> Sequential:
    """The trunk of the network `name` and a new head for `classes` classes, with layers "head.0", "head.1", …

    (N, 3, S, S) → features (N, C, S', S') → logits (N, classes). The head is one of `HEADS`:

        linear: dropout and one fully connected layer over all features
        mlp:    a hidden layer of 256 units, ReLU, dropout and a fully connected layer
        gap:    global average pooling, dropout and a fully connected layer
    """
    if name not in NETWORKS:
        raise InputError(f"network: expected one of {', '.join(NETWORKS)}, found {name!r}")
    if head not in HEADS:
        raise InputError(f"head: expected one of {', '.join(HEADS)}, found {head!r}")
    network = NETWORKS[name]
    trunk = network.trunk(image_size=image_size, seed=seed)
    size = network.feature_size(trunk.layers, image_size)
    layers = HEADS[head](network.channels, size, classes, np.random.default_rng([seed, 1]))
    names = [*trunk.names, *(f"head.{index}" for index in range(len(layers)))]
    return Sequential(*trunk.layers, *layers, names=names, input_shape=trunk.input_shape)


def _linear(channels: int, size: int, classes: int, rng: np.random.Generator) -> list[Layer]:
    return [Flatten(), dropout(rng), classifier(channels * size**2, classes, rng)]


def _mlp(channels: int, size: int, classes: int, rng: np.random.Generator) -> list[Layer]:
    hidden = Linear(channels * size**2, HIDDEN, rng=rng)
    return [Flatten(), hidden, ReLU(), dropout(rng), classifier(HIDDEN, classes, rng)]


def _gap(channels: int, size: int, classes: int, rng: np.random.Generator) -> list[Layer]:
    return [GlobalAvgPool2d(), dropout(rng), classifier(channels, classes, rng)]


HEADS: dict[str, Callable[[int, int, int, np.random.Generator], list[Layer]]] = {
    "linear": _linear,
    "mlp": _mlp,
    "gap": _gap,
}
