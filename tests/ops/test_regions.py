"""A region map: the vote and the cross-entropy, compared with PyTorch and on worked examples."""

import numpy as np
import pytest

from tinydnn import ops


@pytest.fixture
def regions():
    rng = np.random.default_rng(0)
    return rng.standard_normal((3, 4, 5, 2)) * 2


def test_the_vote_is_the_log_of_summed_probabilities(torch, agrees_with_torch, regions):
    def expected(m):
        return torch.log(torch.softmax(m, 1)[:, 1:].sum((2, 3)) + 0.3)

    agrees_with_torch(lambda m: ops.region_vote(m, least=0.3), expected, regions)


def test_the_loss_is_the_weighted_cross_entropy_of_pytorch(torch, agrees_with_torch, regions):
    rng = np.random.default_rng(1)
    targets, weights = rng.integers(0, 4, (3, 5, 2)), rng.random((3, 5, 2))

    def expected(m):
        losses = torch.nn.functional.cross_entropy(m, torch.tensor(targets), reduction="none")
        w = torch.tensor(weights, dtype=m.dtype)
        return (losses * w).sum() / w.sum()

    agrees_with_torch(lambda m: ops.region_cross_entropy(m, targets, weights.astype(m.dtype)), expected, regions)


def test_the_softmax_of_a_vote_is_the_share_of_each_class_in_the_tumour():
    m = np.full((1, 3, 2, 2), -30.0)
    for region, channel in (((0, 0), 0), ((0, 1), 1), ((1, 0), 1), ((1, 1), 2)):
        m[0, channel, *region] = 30
    assert ops.softmax(ops.region_vote(m, least=1e-9)[0])[0] == pytest.approx([2 / 3, 1 / 3])
    background = np.full((1, 3, 2, 2), -30.0)
    background[:, 0] = 30
    assert ops.softmax(ops.region_vote(background)[0])[0] == pytest.approx([1 / 2, 1 / 2])


def test_regions_of_weight_zero_add_nothing_to_loss_and_gradient(regions):
    targets, weights = np.zeros((3, 5, 2), int), np.zeros((3, 5, 2))
    weights[0, 2, 1] = 2
    loss, backward = ops.region_cross_entropy(regions, targets, weights)
    assert loss == pytest.approx(ops.softmax_cross_entropy(regions[:1, :, 2, 1], np.array([0]))[0])
    assert [tuple(place) for place in np.argwhere(backward().any(axis=1))] == [(0, 2, 1)]
    loss, backward = ops.region_cross_entropy(regions, targets, 0 * weights)
    assert loss == 0
    assert not backward().any()


def test_large_values_do_not_overflow(regions):
    for m in (1000 * regions, 1000 * regions.astype(np.float32)):
        z, backward = ops.region_vote(m)
        assert np.isfinite(z).all()
        assert np.isfinite(backward(np.ones_like(z))).all()
        targets = np.zeros((3, 5, 2), int)
        loss, backward = ops.region_cross_entropy(m, targets, np.ones((3, 5, 2), m.dtype))
        assert np.isfinite(loss)
        assert np.isfinite(backward()).all()
