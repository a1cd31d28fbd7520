"""What a training step makes smaller, and what masks say of regions."""

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.gradcheck import gradcheck
from tinydnn.layers import Sequential
from tinydnn.models import MODELS, baseline_cnn, region_cnn
from tinydnn.optim import SGD
from tinydnn.training import loss as objective
from tinydnn.training.region_targets import region_targets

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


@pytest.mark.parametrize("log_prior", [None, np.array([-0.4, 0.3, 0.1])])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_gradient_of_the_loss_of_regions_is_the_numeric_one(smoothing, log_prior):
    model = region_cnn(image_size=16).astype(np.float64)
    parameter = model.parameters()["13-batchnorm2d/gamma"]

    def loss(gamma):
        parameter.value = gamma
        found = objective.region_loss(model, X, Y, MASKS, label_smoothing=smoothing, log_prior=log_prior)

        def backward(dloss):
            found.backward()
            return parameter.grad * dloss

        return np.asarray(found.total), backward

    gradcheck(loss, parameter.value.copy()).raise_if_failed()


def test_the_prior_is_how_frequent_each_class_is_beside_equal_shares():
    assert np.exp(objective.frequencies(np.array([0, 0, 0, 1, 2, 2]), 3)) == pytest.approx([1.5, 0.5, 1.0])
    assert np.isfinite(objective.frequencies(np.array([0, 1]), 3)).all()  # of a class that is absent


def test_the_prior_is_added_to_the_logits_of_classes_and_not_to_the_background():
    model = region_cnn(image_size=16)
    x, prior = X.astype(np.float32), np.array([1.0, 2.0, 3.0], np.float32)
    without, within = (objective.region_loss(model, x, Y, MASKS, log_prior=one) for one in (None, prior))
    np.testing.assert_array_equal(within.logits, without.logits)  # what the network says is without
    assert within.of_slices == ops.softmax_cross_entropy(without.logits + prior, Y)[0]
    m = Sequential(*model.layers[:-1])(x, training=True)[0]
    targets, weights = region_targets(MASKS, Y, m.shape[2:])
    expected = ops.region_cross_entropy(m + np.array([0, 1, 2, 3], np.float32)[:, None, None], targets, weights)[0]
    assert within.total - objective.SLICES * within.of_slices == pytest.approx(expected, rel=1e-6)


def test_a_network_trained_with_the_prior_expects_all_classes_equally():
    """Pictures that say nothing, three in four of one class: what is learned is the frequency, and that is left out."""
    x, y = np.zeros((8, 1, 16, 16), np.float32), np.array([0, 0, 0, 0, 0, 0, 1, 2])
    for log_prior, expected in ((None, [0.75, 0.125, 0.125]), (objective.frequencies(y, 3), [1 / 3] * 3)):
        model = baseline_cnn(image_size=16)
        optimizer = SGD(model.parameters(), lr=0.5)
        for _ in range(100):
            objective.slice_loss(model, x, y, log_prior=log_prior).backward()
            optimizer.step()
        np.testing.assert_allclose(ops.softmax(model.predict(x[:1]))[0], expected, atol=0.01)


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
