"""ROC curves and the area under them, against values by hand."""

import numpy as np
import pytest

from tinydnn.metrics import auc, auc_interval, roc_curve

# Two of the class, three others; a tie between one of each.
POSITIVE = np.array([True, False, True, False, False])
SCORES = np.array([0.9, 0.8, 0.5, 0.5, 0.1])


def test_slices_of_equal_score_pass_the_threshold_together():
    false_positives, true_positives = roc_curve(POSITIVE, SCORES)
    assert false_positives == pytest.approx([0, 0, 1 / 3, 2 / 3, 1])
    assert true_positives == pytest.approx([0, 1 / 2, 1 / 2, 1, 1])


def test_the_area_counts_the_pairs_in_the_right_order_and_half_of_the_ties():
    # 0.9 beats three; 0.5 loses to 0.8, ties with 0.5, beats 0.1.
    assert auc(POSITIVE, SCORES) == pytest.approx((3 + 0 + 0.5 + 1) / 6)


def test_the_area_is_that_under_the_curve():
    rng = np.random.default_rng(0)
    positive, scores = rng.random(200) < 0.3, rng.integers(0, 20, 200) / 20
    false_positives, true_positives = roc_curve(positive, scores)
    assert auc(positive, scores) == pytest.approx(np.trapezoid(true_positives, false_positives))


def test_equal_scores_are_chance_and_reversed_scores_mirror_the_area():
    assert auc(POSITIVE, np.zeros(5)) == 0.5
    assert auc(POSITIVE, -SCORES) == pytest.approx(1 - auc(POSITIVE, SCORES))


def test_the_order_of_the_slices_does_not_matter():
    order = np.array([3, 0, 4, 2, 1])
    assert auc(POSITIVE[order], SCORES[order]) == auc(POSITIVE, SCORES)


def test_slices_that_are_copies_do_not_narrow_the_interval():
    rng = np.random.default_rng(1)
    positive, patients = np.arange(40) % 2 > 0, np.arange(40).astype(str)
    scores = rng.random(40) + 0.5 * positive
    once = auc_interval(positive, scores, patients)
    copies = auc_interval(*(np.repeat(values, 9) for values in (positive, scores, patients)))
    assert copies == pytest.approx(once)
    by_slice = auc_interval(np.repeat(positive, 9), np.repeat(scores, 9), np.arange(360).astype(str))
    assert by_slice[1] - by_slice[0] < 0.5 * (once[1] - once[0])
    assert once[0] < auc(positive, scores) < once[1]


def test_the_interval_covers_the_true_area_about_as_often_as_it_says():
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        positive = np.arange(80) % 2 > 0
        # For normal scores that differ by d, the area is Φ(d / √2): 0.760 for d = 1.
        interval = auc_interval(positive, rng.standard_normal(80) + positive, np.arange(80).astype(str), draws=200)
        covered += interval[0] < 0.760 < interval[1]
    assert 52 <= covered <= 60


def test_draws_without_the_class_do_not_count():
    positive = np.array([True, False, False, False])
    assert auc_interval(positive, np.array([0.5, 0.6, 0.4, 0.3]), np.array(list("abcd"))) is not None


def test_an_area_without_variance_has_no_interval():
    assert auc_interval(POSITIVE, POSITIVE.astype(float), np.array(list("abcde"))) is None


def test_the_same_seed_gives_the_same_interval():
    rng = np.random.default_rng(2)
    arguments = rng.random(60) < 0.5, rng.random(60), (np.arange(60) // 3).astype(str)
    assert auc_interval(*arguments) == auc_interval(*arguments)
    assert auc_interval(*arguments) != auc_interval(*arguments, seed=1)


@pytest.mark.parametrize("metric", [roc_curve, auc])
def test_slices_of_the_class_and_others_are_required(metric):
    with pytest.raises(ValueError, match="expected slices of the class and others, found 2 of 2"):
        metric(np.array([True, True]), np.array([0.1, 0.2]))


def test_curve_and_area_agree_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    positive, scores = rng.random(300) < 0.4, rng.integers(0, 50, 300) / 50
    false_positives, true_positives, _ = sklearn.roc_curve(positive, scores, drop_intermediate=False)
    assert np.stack(roc_curve(positive, scores)) == pytest.approx(np.stack([false_positives, true_positives]))
    assert auc(positive, scores) == pytest.approx(sklearn.roc_auc_score(positive, scores))
