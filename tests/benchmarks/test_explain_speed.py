"""The race of explanations against Captum: equal results, and correct figures."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "explain_speed.py"


def test_the_script_compares_explanations_and_writes_a_row_per_method(tmp_path):
    pytest.importorskip("captum", reason="Captum is not installed")
    out = tmp_path / "results.json"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--size", "32", "--rounds", "1", "--fewer", "32", "--json", str(out)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "relative differences of one explanation: agree" in done.stdout
    results = json.loads(out.read_text())
    assert len(results["rows"]) == 10
    both = {row["method"] for row in results["rows"] if row["ratio"]}
    assert both == {*results["differences"], "smooth-grad"}
    for row in results["rows"]:
        ours, *theirs = row["ms"].values()
        assert ours > 0
        assert row["ratio"] == (min(theirs) / ours if theirs else None)
    assert results["integrated_gradients_in_steps"] > 0
    assert results["grad_cam"]["seconds"] > 0


def test_the_difference_is_relative_and_of_the_whole_explanation():
    from explain_speed import difference

    theirs = np.array([[[[3.0, 4.0]]]])
    assert difference(np.array([[[3.0, 4.5]]]), theirs) == pytest.approx(0.1)


def test_the_table_has_the_milliseconds_of_each_contestant_and_a_dash_for_what_captum_has_not():
    import report

    results = json.loads(report.EXPLAIN_RESULTS.read_text())
    results["rows"] = [
        {"method": "grad-cam", "images": 2, "ratio": 2.04,
         "ms": {"tinydnn": 1.0, "captum nchw": 3.0, "captum channels-last": 2.04}},
        {"method": "rise", "images": 2, "ms": {"tinydnn": 60.26}, "ratio": None},
    ]  # fmt: skip
    lines = report.explain_table(results).splitlines()
    assert lines[2:4] == ["| Grad-CAM | 1.0 | 3.0 | 2.0 | 2.0 |", "| RISE | 60.3 | - | - | - |"]
