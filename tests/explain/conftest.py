"""Small networks of several kinds, in float64, with random biases and images that are higher or wider than square."""

import numpy as np
import pytest

from tinydnn.layers import (
    BatchNorm2d,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    RegionVote,
    ReLU,
    Sequential,
    Sigmoid,
)

SHAPE, CLASSES = (2, 12, 16), 3


def paper_like(rng):
    layers = [Conv2d(2, 4, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2), Conv2d(4, 5, 3, padding=1, rng=rng), ReLU()]
    head = [Flatten(), Linear(60, 6, rng=rng), ReLU(), Dropout(0.5, rng=rng), Linear(6, CLASSES, rng=rng)]
    return [*layers, MaxPool2d(2), *head]


def nested(rng):
    branches = [
        Sequential(Conv2d(4, 3, kernel, padding=kernel // 2, rng=rng), ReLU()) for kernel in (1, 3)
    ]  # as in SqueezeNet
    fire = Sequential(Conv2d(6, 4, 1, rng=rng), ReLU(), Concat(*branches))
    stem = [Conv2d(2, 6, 3, padding=1, bias=False, rng=rng), BatchNorm2d(6), ReLU(), MaxPool2d(3, stride=2)]
    return [*stem, fire, Conv2d(6, 4, 1, rng=rng), ReLU(), GlobalAvgPool2d(), Linear(4, CLASSES, rng=rng)]


def regions(rng):
    body = [Conv2d(2, 5, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2), BatchNorm2d(5)]
    return [*body, Conv2d(5, CLASSES + 1, 1, rng=rng), RegionVote()]


def linear(rng):
    return [Flatten(), Linear(2 * 12 * 16, CLASSES, rng=rng)]


def smooth(rng):
    return [Conv2d(2, 3, 3, rng=rng), Sigmoid(), GlobalAvgPool2d(), Linear(3, CLASSES, rng=rng)]


NETWORKS = {build.__name__: build for build in (paper_like, nested, regions, linear, smooth)}


@pytest.fixture(scope="session")
def make_network():
    """A function: a network by name, in evaluation as after training: no bias, moment or scale is 0 or 1."""

    def make(name, dtype=np.float64):
        rng = np.random.default_rng(7)
        model = Sequential(*NETWORKS[name](rng), input_shape=SHAPE)
        for key, member in {**model.parameters(), **model.buffers()}.items():
            if member.value.ndim == 1:
                draw = rng.uniform(0.5, 1.5, member.value.shape)
                member.value = draw if key.endswith(("gamma", "running_var")) else 0.3 * (draw - 1)
        return model.astype(dtype)

    return make


@pytest.fixture(scope="session")
def make_images():
    """A function: random images for these networks, and a class to explain in each."""

    def make(count=4, dtype=np.float64):
        rng = np.random.default_rng(11)
        return rng.standard_normal((count, *SHAPE)).astype(dtype), rng.integers(0, CLASSES, count)

    return make


@pytest.fixture
def numeric_gradient():
    """A function: the derivatives of f at x by central differences, element by element."""

    def differences(f, x, step=1e-6):
        gradient = np.empty_like(x)
        for index in np.ndindex(x.shape):
            ahead, behind = x.copy(), x.copy()
            ahead[index] += step
            behind[index] -= step
            gradient[index] = (f(ahead) - f(behind)) / (2 * step)
        return gradient

    return differences
