"""The race against PyTorch: same losses, one at a time, and figures that mean what they say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "train_step.py"


def test_rates_are_of_the_median_step_and_of_slower_and_faster_ones():
    from arena import Score

    score = Score("one", batch=10, seconds=[1.0, 2.0, 4.0, 5.0, 10.0])
    assert score.rate() == 2.5
    assert score.rate(20) < score.rate() < score.rate(80)
    assert score.rate(0) == 1.0  # no step was slower
    assert score.rate(100) == 10.0


def test_disagreement_is_the_worst_step_of_any_two_who_ran():
    from arena import Score, disagreement

    scores = [
        Score("one", 1, losses=[1.0, 2.0]),
        Score("two", 1, losses=[1.0, 2.02]),
        Score("absent", 1, failure="not installed"),
    ]
    assert disagreement(scores) == pytest.approx(0.01)


def test_flops_are_three_passes_without_the_gradient_of_the_pixels():
    from train_step import step_flops

    assert step_flops(256) == pytest.approx(1.42e9, rel=0.01)
    assert step_flops(128) < step_flops(256) / 3.9


def test_who_cannot_take_part_is_listed_with_the_reason(tmp_path):
    from arena import compete

    start = tmp_path / "none.npz"
    [score] = compete(["tinydnn numpy"], 2, 16, 1, start, rounds=1, seconds=0.01, compared=2)
    assert "none.npz" in score.failure
    assert score.row() == {"name": "tinydnn numpy", "batch": 2, "failure": score.failure}


def test_the_script_compares_losses_times_steps_and_writes_a_row_for_each(tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed: there is no opponent")
    out = tmp_path / "results.json"
    names = "tinydnn numpy,torch eager nchw,torch eager channels-last"
    options = ["--batch", "4", "--size", "32", "--rounds", "2", "--seconds", "0.05", "--only", names]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options, "--json", str(out)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": agree" in done.stdout
    results = json.loads(out.read_text())
    assert [row["name"] for row in results["rows"]] == names.split(",")
    for row in results["rows"]:
        assert row["batch"] == 4
        assert 0 < row["p20"] <= row["images_per_s"] <= row["p80"]
        assert 10 < row["peak_memory_mb"] < 4000
        assert len(row["losses"]) == 10
    best = max(row["images_per_s"] for row in results["rows"][1:])
    assert results["rows"][0]["ratio_to_best_torch"] == results["rows"][0]["images_per_s"] / best


def test_the_readme_has_the_table_that_the_results_give(monkeypatch, capsys):
    import report

    monkeypatch.setattr(sys, "argv", ["report.py", "--check"])
    assert report.main() == 0, capsys.readouterr().out


def test_the_table_lists_who_ran_fastest_first():
    import report

    results = json.loads(report.RESULTS.read_text())
    results["rows"] += [{"name": "torch compile", "batch": 8, "failure": "no compiler"}]
    lines = [line.split("|")[1:4] for line in report.table(results).splitlines()[2:] if line.startswith("|")]
    assert len(lines) == len(results["rows"]) - 1
    for batch in ("32", "128"):
        rates = [float(rate) for of, _, rate in lines if of.strip() == batch]
        assert rates == sorted(rates, reverse=True)
