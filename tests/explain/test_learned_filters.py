"""Learned filters of any convolution."""

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.explain import convolutions, learned_filters
from tinydnn.explain.learned_filters import strongest_inputs
from tinydnn.layers import Flatten, Linear, Sequential
from tinydnn.models import baseline_cnn
from tinydnn.models.imagenet import NETWORKS


def test_the_first_convolution_is_the_default():
    model = baseline_cnn(image_size=16)
    assert learned_filters(model) is model.state()["00-conv2d/weight"]


def test_every_convolution_is_found_by_its_name_also_inside_other_layers():
    model = NETWORKS["squeezenet1_1"].trunk(image_size=48)
    names = [name for name, _ in convolutions(model)]
    assert len(names) == 1 + 8 * 3
    for name in names:
        assert learned_filters(model, name) is model.state()[f"{name}/weight"]


def test_the_strongest_input_is_that_with_the_largest_norm():
    weights = np.zeros((2, 3, 2, 2))
    weights[0, 2], weights[0, 0], weights[1, 1] = -2.0, 1.0, 0.5
    assert strongest_inputs(weights).tolist() == [2, 1]


def test_a_model_without_convolution_has_no_filters():
    model = Sequential(Flatten(), Linear(16, 3, rng=np.random.default_rng(0)), input_shape=(1, 4, 4))
    for layer in (None, "01-linear"):
        with pytest.raises(InputError, match="filters: expected a model with a convolution, found none"):
            learned_filters(model, layer)


def test_another_layer_is_refused_with_the_names_of_the_convolutions():
    with pytest.raises(InputError, match=r"layer 01-relu: expected a convolution \(00-conv2d, 03-conv2d.*found ReLU"):
        learned_filters(baseline_cnn(image_size=16), "01-relu")
