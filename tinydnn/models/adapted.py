"""A published network's trunk under a new head."""

from collections.abc import Callable

import numpy as np

from tinydnn.errors import InputError
from tinydnn.layers import Flatten, GlobalAvgPool2d, Layer, Linear, ReLU, Sequential
from tinydnn.models.imagenet import NETWORKS
from tinydnn.models.paper import classifier, dropout

HIDDEN = 256


def adapted(name: str, *, head: str, image_size: int, classes: int, seed: int) -> Sequential:
    """The trunk of the network `name` and a head for `classes` classes, whose layers are called "head.0" and so on.

    (N, 3, S, S) → features (N, C, S', S') → logits (N, classes). The head is one of `HEADS`:

        linear: dropout and one matrix over all features
        mlp:    256 hidden units between two matrices, with dropout after them
        gap:    the mean of each channel, dropout, and one small matrix
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
