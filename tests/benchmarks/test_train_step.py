"""The race against PyTorch: equal losses, and correct figures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "train_step.py"


def test_images_per_s_are_percentiles_of_the_steps():
    from arena import Score

    score = Score("a", batch=10, seconds=[1.0, 2.0, 4.0, 5.0, 10.0])
    assert score.images_per_s() == 2.5
    assert score.images_per_s(20) < score.images_per_s() < score.images_per_s(80)
    assert score.images_per_s(0) == 1.0  # no step was slower
    assert score.images_per_s(100) == 10.0


def test_disagreement_is_the_worst_of_any_step_and_pair_that_ran():
    from arena import Score, disagreement

    scores = [
        Score("a", 1, losses=[1.0, 2.0]),
        Score("b", 1, losses=[1.0, 2.02]),
        Score("absent", 1, failure="not installed"),
    ]
    assert disagreement(scores) == pytest.approx(0.01)


def test_flops_are_three_passes_without_the_gradient_of_the_image():
    from train_step import step_flops

    assert step_flops(256) == pytest.approx(1.42e9, rel=0.01)
    assert step_flops(128) < step_flops(256) / 3.9


def test_a_contestant_that_cannot_run_has_the_reason_as_failure(tmp_path):
    from arena import compete

    start = tmp_path / "none.npz"
    [score] = compete(["tinydnn numpy"], 2, 16, 1, start, rounds=1, seconds=0.01, compared=2)
    assert "none.npz" in score.failure
    assert score.row() == {"name": "tinydnn numpy", "batch": 2, "failure": score.failure}


def test_scores_are_saved_after_each_contestants_first_steps_and_after_each_round(monkeypatch, tmp_path):
    import arena

    class Contestant:
        def __init__(self, name, *rest):
            self.name = name

        def steps(self, count):
            if self.name == "absent":
                raise RuntimeError("not installed")
            return {"losses": [1.0] * count, "seconds": [0.5] * count, "peak_memory_mb": 1.0}

        def close(self):
            pass

    monkeypatch.setattr(arena, "Contestant", Contestant)
    saved = []

    def save(scores):
        saved.append([(score.row()["name"], score.row().get("steps", score.failure)) for score in scores])

    names = ["a", "absent", "b"]
    arena.compete(names, 2, 16, 1, tmp_path, rounds=2, seconds=1.0, compared=3, save=save)
    absent = ("absent", "not installed")
    assert saved[:3] == [[("a", 2)], [("a", 2), absent], [("a", 2), absent, ("b", 2)]]
    assert saved[3:] == [[("a", 2), absent, ("b", 2)], [("a", 4), absent, ("b", 4)]]


def test_the_script_compares_losses_and_writes_a_row_per_contestant(tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed")
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


def test_the_table_of_speed_equals_the_results(monkeypatch, capsys):
    import report

    monkeypatch.setattr(sys, "argv", ["report.py", "--check"])
    assert report.main() == 0, capsys.readouterr().out


def test_the_table_lists_the_contestants_that_ran_fastest_first():
    import report

    results = json.loads(report.RESULTS.read_text())
    results["rows"] += [{"name": "torch compile", "batch": 8, "failure": "no compiler"}]
    lines = [line.split("|")[1:4] for line in report.table(results).splitlines()[2:] if line.startswith("|")]
    assert len(lines) == len(results["rows"]) - 1
    for batch in ("32", "128"):
        speeds = [float(speed) for size, _, speed in lines if size.strip() == batch]
        assert speeds == sorted(speeds, reverse=True)
