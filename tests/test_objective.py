"""What a training step makes smaller, and what masks say of regions."""

import numpy as np
import pytest

from tinydnn import objective, ops
from tinydnn.data.regions import region_targets
from tinydnn.gradcheck import gradcheck
from tinydnn.models import MODELS, baseline_cnn, region_cnn

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((4, 1, 16, 16)), np.array([0, 2, 1, 2])
MASKS = np.zeros((4, 16, 16), bool)
MASKS[:, 2:9, 5:12] = True


def test_only_the_network_of_regions_learns_from_masks():
    assert {name: objective.learns_regions(make(image_size=16)) for name, make in MODELS.items()} == {
        "baseline": False, "batchnorm": False, "regions": True, "large-regions": True
    }  # fmt: skip


def test_the_loss_of_slices_is_their_cross_entropy():
    model = baseline_cnn(image_size=16).astype(np.float64)
    model.layers[-2].rate = 0.0
    loss = objective.slice_loss(model, X, Y, label_smoothing=0.1)
    expected = ops.softmax_cross_entropy(model.predict(X), Y, label_smoothing=0.1)[0]
    assert loss.total == loss.of_slices == pytest.approx(expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_gradient_of_the_loss_of_regions_is_the_numeric_one(smoothing):
    model = region_cnn(image_size=16).astype(np.float64)
    parameter = model.parameters()["13-batchnorm2d/gamma"]

    def loss(gamma):
        parameter.value = gamma
        found = objective.region_loss(model, X, Y, MASKS, label_smoothing=smoothing)

        def backward(dloss):
            found.backward()
            return parameter.grad * dloss

        return np.asarray(found.total), backward

    gradcheck(loss, parameter.value.copy()).raise_if_failed()


def test_the_loss_of_regions_falls_with_training_and_the_slices_with_it():
    model = region_cnn(image_size=16)
    x = (RNG.standard_normal((12, 1, 16, 16)) * 0.1).astype(np.float32)
    y = np.arange(12) % 3
    masks = np.zeros((12, 16, 16), bool)
    masks[:, :8, :8] = True
    x[:, 0, :8, :8] += y[:, None, None].astype(np.float32)
    losses = []
    for _ in range(25):
        loss = objective.region_loss(model, x, y, masks)
        loss.backward()
        losses.append((float(loss.total), float(loss.of_slices)))
        for parameter in model.parameters().values():
            parameter.value -= np.float32(0.1) * parameter.grad
    assert losses[-1][0] < 0.5 * losses[0][0]
    assert losses[-1][1] < 0.5 * losses[0][1]


def test_a_region_is_tumour_where_a_quarter_is_and_does_not_count_where_little_is():
    masks = np.zeros((2, 9, 8), bool)
    masks[0, :4, :4] = True  # all of the first region
    masks[0, 4:6, 0] = True  # an eighth of the region below
    masks[1, 0, 4:] = True  # exactly a quarter: not more
    masks[1, 8] = True  # in the row that is left over
    targets, weights = region_targets(masks, np.array([2, 0]), (2, 2))
    assert targets.tolist() == [[[3, 0], [0, 0]], [[0, 0], [0, 0]]]
    assert weights.tolist() == [[[5, 1], [0, 1]], [[1, 0], [1, 1]]]
    assert weights.dtype == np.float32
