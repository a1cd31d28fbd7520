"""Runs side by side: paired differences, and what is said where runs cannot be compared."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.runs.html_report import write_comparison
from tinydnn.runs.html_report.compare import paired_difference, same_test


def with_answers(run, correct):
    """The same run with right answers where `correct` says so."""
    guesses = np.where(correct, run.labels, (run.labels + 1) % 3)
    evaluation = replace(run.predictions.evaluation, probabilities=np.eye(3)[guesses])
    return replace(run, predictions=replace(run.predictions, evaluation=evaluation))


def shuffled(run, order):
    """The same run with its slices in another order."""
    p = run.predictions
    evaluation = replace(p.evaluation, labels=run.labels[order], probabilities=run.probabilities[order])
    files = [p.files[n] for n in order]
    return replace(run, predictions=type(p)(p.indices[order], files, p.patients[order], evaluation))


@pytest.fixture
def compared(monkeypatch, tmp_path):
    """A function that compares results and returns the page."""

    def compare(*runs):
        folders = {f"{n}": run for n, run in enumerate(runs)}
        monkeypatch.setattr("tinydnn.runs.html_report.compare.read_results", folders.__getitem__)
        write_comparison(list(folders), tmp_path / "c.html")
        return (tmp_path / "c.html").read_text()

    return compare


def test_the_difference_counts_the_slices_that_one_run_has_right(results):
    first = with_answers(results(), np.arange(30) < 20)
    second = with_answers(results(), (np.arange(30) >= 10) & (np.arange(30) < 26))
    found = paired_difference(first, second)
    assert [found[key] for key in ("both", "first", "second", "neither")] == [10, 10, 6, 4]
    assert found["difference"] == pytest.approx(-4 / 30)
    assert found["interval"][0] < -4 / 30 < found["interval"][1]
    assert found["over"] == "patients"
    assert paired_difference(second, first)["difference"] == pytest.approx(4 / 30)


def test_the_slices_are_matched_whatever_their_order(results):
    first, second = results(seed=1), results(seed=2)
    order = np.random.default_rng(0).permutation(30)
    assert paired_difference(first, shuffled(second, order)) == paired_difference(first, second)
    assert same_test(first, shuffled(second, order))


def test_errors_of_whole_patients_widen_the_interval(results):
    right, wrong = np.arange(90) >= 0, np.arange(90) // 3 % 5 > 0  # all three slices of every fifth patient
    base = with_answers(results(slices=90), right)
    low, high = paired_difference(base, with_answers(results(slices=90), wrong))["interval"]
    unknown = with_answers(results(slices=90, patients=[""] * 90), right)
    by_slice = paired_difference(unknown, with_answers(results(slices=90), wrong))
    assert by_slice["over"] == "slices"
    assert high - low > 1.4 * (by_slice["interval"][1] - by_slice["interval"][0])


def test_runs_on_the_same_slices_are_compared_slice_by_slice(results, compared):
    text = compared(results(seed=1), results(seed=2))
    assert "All runs were tested on the same slices." in text
    assert "B − A" in text
    assert text.count('role="img"') == 6  # accuracies, two curves, three classes


def test_runs_on_slices_of_one_class_are_compared(results, compared):
    assert "B − A" in compared(results(slices=3, seed=1), results(slices=3, seed=2))


def test_runs_on_other_slices_are_not_compared_slice_by_slice(results, compared):
    other = results(seed=2, files=[f"other-{n}.mat" for n in range(30)])
    text = compared(results(seed=1), other)
    assert "Not tested on the same slices: B, on other slices than A." in text
    assert "without a paired comparison: B." in text
    assert "B − A" not in text
    elsewhere = results(seed=3)
    elsewhere.config["data"]["content"] = "other"
    assert "B, on other data than A." in compared(results(), elsewhere)


def test_rows_in_which_the_protocols_differ_are_marked(results, compared):
    other = results()
    other.config["options"]["size"] = 99
    other.config["options"]["lr"] = 0.007
    text = compared(results(), other)
    marked = re.findall(r'<th scope="row">(\S+) <span class="mark">differs</span>', text)
    assert marked == ["Image", "--lr", "--size"]
    assert "99 × 99 pixels" in text
    assert "<td>0.007</td>" in text


def test_runs_of_other_classes_and_single_runs_are_refused(results, compared):
    with pytest.raises(InputError, match="run: expected a run of the classes a, b, c, found a, b, d"):
        compared(results(), results(names=("a", "b", "d")))
    with pytest.raises(InputError, match="expected 2 to 26 runs to compare, found 1"):
        compared(results())
