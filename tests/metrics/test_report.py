"""Metrics agree with values computed by hand and with published ones."""

import json
import math
import re
import subprocess
import sys
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinydnn.metrics import classification_report, confusion_matrix, wilson_interval

NAMES = ["meningioma", "glioma", "pituitary"]

proportions = st.integers(1, 10**7).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
counts = hnp.arrays(np.int64, (3, 3), elements=st.integers(0, 500)).filter(lambda matrix: matrix.sum() > 0)


def test_rows_are_true_classes_and_columns_predicted_classes() -> None:
    matrix = confusion_matrix([0, 0, 0, 1, 2, 2], [0, 1, 1, 1, 0, 2], 3)
    assert matrix.tolist() == [[1, 2, 0], [0, 1, 0], [1, 0, 1]]
    assert matrix.dtype == np.int64


def test_a_class_that_never_occurs_has_a_row_and_column_of_zeros() -> None:
    assert confusion_matrix([0], [1], 3).tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_small_integer_types_do_not_overflow() -> None:
    labels = np.full(300, 99, dtype=np.uint8)
    assert confusion_matrix(labels, labels, 100)[99, 99] == 300


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_each_pair_is_counted_once_in_its_cell(pairs: list[tuple[int, int]]) -> None:
    labels, predictions = zip(*pairs, strict=True)
    matrix = confusion_matrix(labels, predictions, 4)
    assert all(matrix[cell] == pairs.count(cell) for cell in np.ndindex(4, 4))


@pytest.mark.parametrize(
    ("labels", "predictions", "error", "message"),
    [
        ([0, 3], [0, 0], ValueError, r"labels: expected classes 0\.\.2, found 3 at index 1"),
        ([0, 1], [0, -1], ValueError, r"predictions: expected classes 0\.\.2, found -1 at index 1"),
        ([0, 1], [0], ValueError, "predictions: expected 2 of them, one per label, found 1"),
        ([[0], [1]], [0, 1], ValueError, r"labels: expected shape \(N,\), found \(2, 1\)"),
        ([0, 1], [0.2, 0.8], TypeError, "predictions: expected integers, found float64"),
    ],
)
def test_errors_name_the_wrong_labels(labels: list, predictions: list, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        confusion_matrix(labels, predictions, 3)


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # 89.89 % of 613 slices.
        (551, 613, 0.872, 0.920),
    ],
)
def test_wilson_intervals_agree_with_published_values(correct: int, total: int, low: float, high: float) -> None:
    places = 3 if total == 613 else 4
    assert tuple(round(bound, places) for bound in wilson_interval(correct, total)) == (low, high)


@given(proportions)
def test_wilson_bounds_solve_their_defining_equation(case: tuple[int, int]) -> None:
    # A bound is a proportion b from which the observed one is z standard errors away: (p - b)² = z²·b·(1-b)/n.
    correct, total = case
    p, z = correct / total, 1.959963984540054
    low, high = wilson_interval(correct, total)
    assert 0 <= low <= p + 1e-12
    assert p - 1e-12 <= high <= 1
    for bound in (low, high):
        assert math.isclose((p - bound) ** 2, z * z * bound * (1 - bound) / total, rel_tol=1e-6, abs_tol=1e-12)


@given(proportions)
def test_wilson_intervals_agree_with_the_closed_formula(case: tuple[int, int]) -> None:
    k, n = case
    p, z = k / n, NormalDist().inv_cdf(0.975)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    bounds = [(p + z * z / (2 * n) + sign * half) / (1 + z * z / n) for sign in (-1, 1)]
    assert wilson_interval(k, n) == pytest.approx(bounds, rel=1e-9, abs=1e-15)


@given(st.integers(0, 50))
def test_exchanging_correct_and_wrong_mirrors_the_wilson_interval(correct: int) -> None:
    low, high = wilson_interval(correct, 50)
    assert wilson_interval(50 - correct, 50) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_scipy_stats_is_loaded_by_the_first_interval_only() -> None:
    code = (
        "import sys, tinydnn.metrics, tinydnn.cli.train\n"
        "assert 'scipy.stats' not in sys.modules\n"
        "tinydnn.metrics.wilson_interval(1, 2)\n"
        "assert 'scipy.stats' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("correct", "total"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_rejects_impossible_counts(correct: int, total: int) -> None:
    with pytest.raises(ValueError, match=f"found {correct}, {total}"):
        wilson_interval(correct, total)


def test_the_report_agrees_with_values_computed_by_hand() -> None:
    report = classification_report([[8, 2, 0], [1, 18, 1], [0, 5, 15]], NAMES)
    assert report["accuracy"] == pytest.approx(41 / 50)
    assert report["accuracy_interval_95"] == list(wilson_interval(41, 50))
    assert report["slices"] == 50
    expected = {
        "meningioma": {"precision": 8 / 9, "recall": 8 / 10, "f1": 16 / 19, "support": 10},
        "glioma": {"precision": 18 / 25, "recall": 18 / 20, "f1": 36 / 45, "support": 20},
        "pituitary": {"precision": 15 / 16, "recall": 15 / 20, "f1": 30 / 36, "support": 20},
    }
    for name, metrics in expected.items():
        assert report["per_class"][name] == pytest.approx(metrics)
    assert report["macro"]["precision"] == pytest.approx((8 / 9 + 18 / 25 + 15 / 16) / 3)
    assert report["macro"]["recall"] == pytest.approx((0.8 + 0.9 + 0.75) / 3)
    assert report["macro"]["f1"] == pytest.approx((16 / 19 + 0.8 + 5 / 6) / 3)
    assert report["confusion_matrix"] == [[8, 2, 0], [1, 18, 1], [0, 5, 15]]


def test_precision_is_none_for_a_class_never_predicted_and_0_in_the_mean() -> None:
    report = classification_report([[0, 142, 0], [0, 285, 0], [0, 186, 0]], NAMES)
    assert report["per_class"]["meningioma"] == {"precision": None, "recall": 0.0, "f1": 0.0, "support": 142}
    assert report["macro"]["precision"] == pytest.approx(285 / 613 / 3)
    assert report["macro"]["recall"] == pytest.approx(1 / 3)


def test_an_absent_class_has_no_recall_and_is_left_out_of_the_mean() -> None:
    report = classification_report([[3, 1, 0], [0, 0, 0], [0, 0, 4]], NAMES)
    assert report["per_class"]["glioma"] == {"precision": 0.0, "recall": None, "f1": 0.0, "support": 0}
    assert report["macro"]["recall"] == pytest.approx((0.75 + 1) / 2)
    absent = classification_report([[3, 0, 0], [0, 0, 0], [0, 0, 4]], NAMES)["per_class"]["glioma"]
    assert absent == {"precision": None, "recall": None, "f1": None, "support": 0}


@given(counts)
def test_the_report_is_json_without_nan(matrix: np.ndarray) -> None:
    report = classification_report(matrix, NAMES)
    assert json.loads(json.dumps(report, allow_nan=False)) == report


@given(counts)
def test_f1_is_the_harmonic_mean_and_metrics_are_within_0_and_1(matrix: np.ndarray) -> None:
    report = classification_report(matrix, NAMES)
    for metrics in report["per_class"].values():
        precision, recall, f1 = metrics["precision"], metrics["recall"], metrics["f1"]
        assert all(metric is None or 0 <= metric <= 1 for metric in (precision, recall, f1))
        if precision and recall:
            assert f1 == pytest.approx(2 * precision * recall / (precision + recall))
    # Recall weighted by support is the accuracy.
    weighted = sum((metrics["recall"] or 0) * metrics["support"] for metrics in report["per_class"].values())
    assert weighted == pytest.approx(report["accuracy"] * report["slices"])


@given(counts, st.permutations(range(3)))
def test_metrics_do_not_depend_on_the_order_of_classes(matrix: np.ndarray, order: list[int]) -> None:
    report = classification_report(matrix, NAMES)
    other = classification_report(matrix[np.ix_(order, order)], [NAMES[k] for k in order])
    assert other["per_class"] == report["per_class"]
    assert other["macro"] == pytest.approx(report["macro"])


@pytest.mark.parametrize(
    ("matrix", "names", "message"),
    [
        ([[1, 0], [0, 1]], NAMES, r"matrix: expected shape \(3, 3\) for 3 class names, found \(2, 2\)"),
        ([[1, 0], [0, 1]], ["a", "a"], "class_names: expected distinct names"),
        ([[0, 0], [0, 0]], ["a", "b"], "matrix: expected counts"),
        ([[1, -1], [0, 1]], ["a", "b"], "matrix: expected counts"),
        ([[0.5, 0.5], [0, 1]], ["a", "b"], "matrix: expected counts"),
    ],
)
def test_an_invalid_matrix_is_rejected(matrix: list, names: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classification_report(matrix, names)


def test_a_notebook_shows_the_metrics_of_each_class_and_the_accuracy_with_its_interval() -> None:
    page = classification_report([[1, 2, 0], [0, 3, 1], [0, 0, 0]], ["<b>", "glioma", "never"])._repr_html_()
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", page)
    assert cells[5:20] == [
        "&lt;b&gt;", "100.0%", "33.3%", "50.0%", "3", "glioma", "60.0%", "75.0%", "66.7%", "4", "never", "0.0%", "-",
        "0.0%", "0",
    ]  # fmt: skip
    assert cells[20] == "macro average"
    assert "Accuracy 57.1% on 7 slices, 95 % interval over slices 25.0% to 84.2%." in page


def test_a_report_is_a_dictionary_that_json_writes() -> None:
    report = classification_report([[1, 2], [3, 4]], ["a", "b"])
    assert json.loads(json.dumps(report)) == report == dict(report)


def test_a_notebook_says_over_what_an_interval_is() -> None:
    report = classification_report([[1, 2], [3, 4]], ["a", "b"])
    report["interval_over"] = "patients"
    assert "95 % interval over patients" in report._repr_html_()
