"""The report of a GPU: its limits fit, its archive grows with the results, and its parts need few packages."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What Python runs first in each process: CuPy is the stand-in, packages are missing, and peaks are measured quickly.
START = """
import sys
from strict_cupy import modules
sys.modules |= modules() | dict.fromkeys(("pooch", "platformdirs", "requests"))
from tinydnn.bench.gpu import gpu_peaks
gpu_peaks.__kwdefaults__.update(side=64, copied=1 << 16)
"""


def part(name, limit, code):
    from gpu_report import Part

    return Part(name, limit, [sys.executable, "-c", code])


@pytest.fixture
def report(tmp_path):
    """A function that runs parts and returns what failed, and the files of the archive."""
    from gpu_report import report

    def run(parts):
        (tmp_path / "parts").mkdir()
        failed = report(parts, tmp_path / "parts", tmp_path / "report.tar.gz")
        with tarfile.open(tmp_path / "report.tar.gz") as tar:
            return failed, {name: tar.extractfile(name).read().decode() for name in tar.getnames()}

    return run


def test_all_limits_fit_into_nine_minutes(tmp_path):
    import gpu_report

    parts = gpu_report.parts(tmp_path)
    assert sum(part.limit + gpu_report.GRACE for part in parts) <= gpu_report.TOTAL == 540
    assert len({part.name for part in parts}) == len(parts)
    assert all((ROOT / word).exists() for part in parts for word in part.command if word.endswith(".py"))


def test_a_part_that_runs_out_of_time_keeps_its_results_and_the_others_run(report, tmp_path):
    rows = tmp_path / "parts" / "rows.json"
    code = f"""
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("one row", flush=True)
open({str(rows)!r}, "w").write("[1]")
time.sleep(60)
"""
    failed, files = report(
        [part("stuck", 1, code), part("wrong", 9, "raise SystemExit(3)"), part("right", 9, "print(2)")]
    )
    assert failed == ["stuck: more than 1 s", "wrong: exit status 3"]
    assert files["rows.json"] == "[1]"
    assert files["stuck.txt"] == "one row\n"
    assert files["right.txt"] == "2\n"
    assert files["failed.txt"].splitlines() == failed


def test_the_archive_has_the_results_of_a_part_while_it_runs(report, tmp_path, monkeypatch):
    monkeypatch.setattr("gpu_report.EVERY", 0.1)
    code = f"""
import pathlib, tarfile, time
print("begun", flush=True)
archive = pathlib.Path({str(tmp_path / "report.tar.gz")!r})
while not archive.exists() or not tarfile.open(archive).extractfile("watching.txt").read():
    time.sleep(0.1)
"""
    assert report([part("watching", 20, code)])[0] == []


def test_when_the_report_itself_is_ended_the_results_so_far_are_kept(tmp_path):
    archive, alive = tmp_path / "report.tar.gz", tmp_path / "alive"
    endless = (
        f"import time; print('a row', flush=True)\nwhile 1: open({str(alive)!r}, 'w').write('x'); time.sleep(0.05)"
    )
    code = f"""
import sys, gpu_report
gpu_report.EVERY = 0.1
gpu_report.check_device = lambda device: None
gpu_report.parts = lambda folder: [gpu_report.Part("endless", 60, [sys.executable, "-c", {endless!r}])]
gpu_report.main()
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "benchmarks"), str(ROOT)))}
    process = subprocess.Popen([sys.executable, "-c", code, str(archive)], env=environment, stdout=subprocess.DEVNULL)
    while not alive.exists():
        time.sleep(0.05)
    process.terminate()
    assert process.wait(20) != 0
    alive.unlink()
    with tarfile.open(archive) as tar:
        assert tar.extractfile("endless.txt").read() == b"a row\n"
    time.sleep(0.2)
    assert not alive.exists()  # the part has ended too


def test_a_missing_program_is_named(report):
    from gpu_report import Part

    assert report([Part("racecheck", 1, ["no-such-program"])])[0] == ["racecheck: no-such-program is not installed"]


@pytest.mark.skipif(shutil.which("g++") is None, reason="the emulated GPU needs g++, which is not installed")
def test_parts_run_on_the_stand_in_with_few_packages(report, tmp_path, monkeypatch):
    from gpu_report import Part

    (tmp_path / "sitecustomize.py").write_text(START)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (tmp_path, ROOT / "tests/gpu", ROOT))))

    profile = [sys.executable, str(ROOT / "benchmarks/gpu_profile.py"), "--size", "16", "--batch", "1"]
    bench = [sys.executable, "-m", "tinydnn", "bench", "softmax_cross_entropy", "--shape", "4x3", "--device", "cuda"]
    output = ["--only", "cuda", "--json", str(tmp_path / "parts" / "bench.json")]
    failed, files = report([Part("profile", 200, profile), Part("bench", 200, [*bench, *output])])
    assert failed == [], files
    assert "losses" in files["profile.txt"]
    assert {line["name"] for line in json.loads(files["bench.json"])["lines"]} == {"cuda"}
