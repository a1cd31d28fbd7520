"""Scores of maps against masks, on maps whose scores are known."""

import numpy as np
import pytest

from tinydnn.explain.mask_scores import (
    MASK_SCORES,
    average_precision,
    energy_inside,
    mask_iou,
    pointing_game,
)

RNG = np.random.default_rng(0)
MASKS = np.zeros((2, 6, 8), bool)
MASKS[0, 1:4, 2:6] = True  # 12 of 48 pixels
MASKS[1, 5, 7] = True
SHARES = MASKS.mean(axis=(1, 2))
ALL = pytest.mark.parametrize("score", MASK_SCORES, ids=lambda score: score.name)


def brute_force_average_precision(a, inside):
    """Precision and recall at every threshold that occurs, as in the definition."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(a.tolist()), reverse=True):
        chosen = a >= threshold
        recall = (chosen & inside).sum() / inside.sum()
        total += (recall - before) * (chosen & inside).sum() / chosen.sum()
        before = recall
    return total


@ALL
def test_the_mask_itself_scores_1(score):
    assert score.function(MASKS.astype(np.float32), MASKS).tolist() == [1, 1]


@ALL
def test_a_mask_of_all_pixels_scores_1(score):
    assert score.function(RNG.random((1, 4, 4)), np.ones((1, 4, 4), bool)).tolist() == pytest.approx([1])


@ALL
@pytest.mark.parametrize("value", [0, 0.5, 1e308])
def test_a_constant_map_scores_as_chance(score, value):
    expected = SHARES / (2 - SHARES) if score.function is mask_iou else SHARES
    assert score.function(np.full(MASKS.shape, value), MASKS) == pytest.approx(expected)


def test_the_inverted_mask_finds_nothing():
    inverted = 1.0 - MASKS
    for function in (pointing_game, energy_inside, mask_iou):
        assert function(inverted, MASKS).tolist() == [0, 0]
    # All pixels outside come first, and the mask ties behind them.
    assert average_precision(inverted, MASKS) == pytest.approx(SHARES)


def test_a_single_pixel_inside_points_and_overlaps_as_one_of_twelve():
    maps = np.zeros(MASKS.shape)
    maps[0, 2, 3] = maps[1, 0, 0] = 3
    assert pointing_game(maps, MASKS).tolist() == [1, 0]
    assert energy_inside(maps, MASKS).tolist() == [1, 0]
    i = 1 + 11 * 11 / 47  # the other 11 places are drawn among 47 pixels, of which 11 are inside
    assert mask_iou(maps, MASKS)[0] == pytest.approx(i / (24 - i))


def test_energy_is_a_share_of_the_sum():
    maps = np.ones((1, 6, 8))
    maps[0, 1:4, 2:6] = 3
    assert energy_inside(maps, MASKS[:1]) == pytest.approx([36 / 72])


def test_a_shared_maximum_points_by_its_share_inside():
    maps = np.zeros((1, 6, 8))
    maps[0, 1, 1:4] = 1  # two of three inside
    assert pointing_game(maps, MASKS[:1]) == pytest.approx([2 / 3])


def test_iou_takes_as_many_pixels_as_the_mask_has():
    maps = np.arange(48.0).reshape(1, 6, 8)  # the last 12 pixels are the most relevant: rows 4, 5 and half of 3
    overlap = MASKS[0].ravel()[-12:].sum()
    assert mask_iou(maps, MASKS[:1]) == pytest.approx([overlap / (24 - overlap)])
    shifted = np.roll(MASKS[:1], 1, axis=2).astype(float)
    assert mask_iou(shifted, MASKS[:1]) == pytest.approx([9 / 15])


@pytest.mark.parametrize("levels", [2, 5, 10**6])
def test_average_precision_is_that_of_its_definition(levels):
    maps = RNG.integers(0, levels, (20, 6, 8)).astype(np.float32)
    masks = RNG.random((20, 6, 8)) < 0.3
    expected = [brute_force_average_precision(a.ravel(), m.ravel()) for a, m in zip(maps, masks, strict=True)]
    assert average_precision(maps, masks) == pytest.approx(expected)


def test_average_precision_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    maps, masks = RNG.integers(0, 9, (10, 6, 8)) / 9, RNG.random((10, 6, 8)) < 0.3
    expected = [metrics.average_precision_score(m.ravel(), a.ravel()) for a, m in zip(maps, masks, strict=True)]
    assert average_precision(maps, masks) == pytest.approx(expected)


@ALL
def test_chance_scores_the_share_of_the_mask(score):
    masks = np.repeat(MASKS[:1], 4000, axis=0)
    mean = score.function(RNG.random(masks.shape), masks).mean()
    share = SHARES[0]
    if score.function is mask_iou:
        assert mean == pytest.approx(share / (2 - share), abs=0.01)
    elif score.function is average_precision:
        assert share < mean < share + (1 + np.log(48)) / 48
    else:
        assert mean == pytest.approx(share, abs=0.02)


@ALL
def test_the_scale_of_a_map_does_not_matter(score):
    maps = RNG.random(MASKS.shape)
    assert score.function(1e300 * maps, MASKS) == pytest.approx(score.function(maps, MASKS))


@ALL
@pytest.mark.parametrize(
    ("maps", "masks", "message"),
    [
        (np.ones((1, 6, 8)), MASKS, "expected the same shape"),
        (np.ones((6, 8)), MASKS[0], "expected the same shape"),
        (np.ones((1, 2, 2)), np.zeros((1, 2, 2), bool), "empty mask"),
        (-np.ones((1, 2, 2)), np.ones((1, 2, 2), bool), "finite numbers from 0"),
        (np.full((1, 2, 2), np.nan), np.ones((1, 2, 2), bool), "finite numbers from 0"),
    ],
)
def test_other_input_is_refused(score, maps, masks, message):
    with pytest.raises(ValueError, match=message):
        score.function(maps, masks)
