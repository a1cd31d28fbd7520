"""The training loss of images and of regions, the log prior, and the region targets."""

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.gradcheck import gradcheck
from tinydnn.models import MODELS, REGION_NETWORKS, baseline_cnn, region_cnn
from tinydnn.optim import SGD
from tinydnn.training import loss
from tinydnn.training.region_targets import region_targets
from tinydnn.training.step import training_step

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((4, 1, 16, 16)), np.array([0, 2, 1, 2])
MASKS = np.zeros((4, 16, 16), bool)
MASKS[:, 2:9, 5:12] = True


def no_update():
    """A training step with this update sets gradients and moves nothing."""


def region_map(model, x):
    return model.split_at(len(model.layers) - 1)[0](x, training=True)[0]


def test_only_region_networks_learn_from_masks():
    assert {name: loss.has_region_head(make(image_size=16)) for name, make in MODELS.items()} == {
        "baseline": False, "batchnorm": False, "regions": True, "large-regions": True, "attention": False,
        "vit-tiny": False,
    }  # fmt: skip
    assert [name for name, make in MODELS.items() if loss.has_region_head(make(image_size=16))] == [*REGION_NETWORKS]


def test_the_image_loss_is_the_cross_entropy():
    model = baseline_cnn(image_size=16).astype(np.float64)
    model.layers[-2].rate = 0.0
    result = training_step(model, no_update, X, Y, label_smoothing=0.1)
    expected = ops.softmax_cross_entropy(model.predict(X), Y, label_smoothing=0.1)[0]
    assert result.total_loss == result.image_loss == pytest.approx(expected)
    assert result.accuracy == (model.predict(X).argmax(axis=1) == Y).mean()


@pytest.mark.parametrize("log_prior", [None, np.array([-0.4, 0.3, 0.1])])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_gradient_of_the_region_loss_is_the_numeric_one(smoothing, log_prior):
    model = region_cnn(image_size=16).astype(np.float64)
    parameter = model.parameters()["13-batchnorm2d/gamma"]

    def total_loss(gamma):
        parameter.value = gamma
        result = training_step(model, no_update, X, Y, MASKS, label_smoothing=smoothing, log_prior=log_prior)
        gradient = parameter.grad
        return np.asarray(result.total_loss), lambda dloss: gradient * dloss

    gradcheck(total_loss, parameter.value.copy()).raise_if_failed()


def test_the_prior_is_the_class_frequency_relative_to_equal_shares():
    assert np.exp(loss.log_class_prior(np.array([0, 0, 0, 1, 2, 2]), 3)) == pytest.approx([1.5, 0.5, 1.0])
    assert np.isfinite(loss.log_class_prior(np.array([0, 1]), 3)).all()  # the third class is absent


def test_the_prior_shifts_class_logits_and_not_the_background():
    model = region_cnn(image_size=16)
    m, prior = region_map(model, X.astype(np.float32)), np.array([1.0, 2.0, 3.0], np.float32)
    without, shifted = (loss.region_loss(m, Y, MASKS, log_prior=log_prior)[0] for log_prior in (None, prior))
    np.testing.assert_array_equal(shifted.logits, without.logits)  # the logits themselves are without the prior
    assert shifted.image_loss == ops.softmax_cross_entropy(without.logits + prior, Y)[0]
    targets, weights = region_targets(MASKS, Y, m.shape[2:])
    expected = ops.region_cross_entropy(m + np.array([0, 1, 2, 3], np.float32)[:, None, None], targets, weights)[0]
    assert shifted.total - loss.IMAGE_WEIGHT * shifted.image_loss == pytest.approx(expected, rel=1e-6)


def test_a_network_trained_with_the_prior_predicts_equal_frequencies():
    """The images carry no information and three in four show one class, so only the class frequency can be learned."""
    x, y = np.zeros((8, 1, 16, 16), np.float32), np.array([0, 0, 0, 0, 0, 0, 1, 2])
    for log_prior, expected in ((None, [0.75, 0.125, 0.125]), (loss.log_class_prior(y, 3), [1 / 3] * 3)):
        model = baseline_cnn(image_size=16)
        optimizer = SGD(model.parameters(), lr=0.5)
        for _ in range(100):
            training_step(model, optimizer.step, x, y, log_prior=log_prior)
        np.testing.assert_allclose(ops.softmax(model.predict(x[:1]))[0], expected, atol=0.01)


def test_training_lowers_the_region_loss_and_the_image_loss():
    model = region_cnn(image_size=16)
    optimizer = SGD(model.parameters(), lr=0.1)
    x = (RNG.standard_normal((12, 1, 16, 16)) * 0.1).astype(np.float32)
    y = np.arange(12) % 3
    masks = np.zeros((12, 16, 16), bool)
    masks[:, :8, :8] = True
    x[:, 0, :8, :8] += y[:, None, None].astype(np.float32)
    results = [training_step(model, optimizer.step, x, y, masks) for _ in range(25)]
    assert results[-1].total_loss < 0.5 * results[0].total_loss
    assert results[-1].image_loss < 0.5 * results[0].image_loss


def test_region_targets_follow_the_share_of_tumour_pixels():
    masks = np.zeros((2, 9, 8), bool)
    masks[0, :4, :4] = True  # all of the first region
    masks[0, 4:6, 0] = True  # an eighth of the region below
    masks[1, 0, 4:] = True  # exactly a quarter: not more
    masks[1, 8] = True  # in the row outside all regions
    targets, weights = region_targets(masks, np.array([2, 0]), (2, 2))
    assert targets.tolist() == [[[3, 0], [0, 0]], [[0, 0], [0, 0]]]
    assert weights.tolist() == [[[5, 1], [0, 1]], [[1, 0], [1, 1]]]
    assert weights.dtype == np.float32
