"""The text of a layer and of a model."""

import numpy as np

from tinydnn.layers import BatchNorm2d, Concat, Conv2d, Dropout, Layer, Linear, MaxPool2d, ReLU, Sequential
from tinydnn.models import batchnorm_cnn


def rng():
    return np.random.default_rng(0)


def test_a_layer_shows_its_configuration():
    layers = [
        Conv2d(1, 16, 3, padding=1, rng=rng()), Linear(4, 3, rng=rng()), MaxPool2d(2), BatchNorm2d(8),
        Dropout(0.5, rng=rng()), ReLU(),
    ]  # fmt: skip
    assert [repr(layer) for layer in layers] == [
        "Conv2d(1, 16, kernel_size=3, stride=1, padding=1, bias=True)",
        "Linear(4, 3)",
        "MaxPool2d(window=2)",
        "BatchNorm2d(channels=8, momentum=0.1, eps=1e-05)",
        "Dropout(rate=0.5)",
        "ReLU()",
    ]


def test_a_layer_without_a_configuration_of_its_own_shows_its_name():
    class Swish(Layer):
        def __call__(self, x, *, training=False):
            return x, lambda dz: dz

    assert repr(Swish()) == "Swish()"


def test_a_model_lists_its_layers_with_their_parameters():
    model = Sequential(Linear(1000, 2, rng=rng()), ReLU(), names=["first", "second"])
    assert repr(model).splitlines() == [
        "Sequential: 2 layers, 2,002 parameters",
        "  00-first: Linear(1000, 2), 2,002 parameters",
        "  01-second: ReLU()",
    ]


def test_layers_within_layers_are_indented():
    branches = Concat(Sequential(ReLU()), Sequential(Linear(2, 2, rng=rng())))
    assert repr(Sequential(branches, ReLU())).splitlines() == [
        "Sequential: 2 layers, 6 parameters",
        "  00-concat: Concat: 2 layers, 6 parameters",
        "    00-sequential: Sequential: 1 layer",
        "      00-relu: ReLU()",
        "    01-sequential: Sequential: 1 layer, 6 parameters",
        "      00-linear: Linear(2, 2), 6 parameters",
        "  01-relu: ReLU()",
    ]


def test_a_large_model_has_one_line_for_each_layer():
    model = batchnorm_cnn(image_size=64)
    lines = repr(model).splitlines()
    assert len(lines) == 1 + len(model.layers)
    assert max(map(len, lines)) <= 120
