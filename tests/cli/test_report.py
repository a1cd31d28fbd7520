"""`tinydnn report`: the report of a run made anew, and the comparison of runs."""

import json
import shutil

import pytest


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of the finished run."""
    return shutil.copytree(trained.folder, tmp_path / "copied")


def test_a_report_made_anew_equals_that_of_the_run(command, trained, tmp_path):
    written = (trained.folder / "report.html").read_bytes()
    result = command("report", trained.folder, "--out", tmp_path / "again.html")
    assert (result.status, result.out, result.err) == (0, f"The report is {tmp_path / 'again.html'}\n", "")
    assert (tmp_path / "again.html").read_bytes() == written


def test_a_report_is_written_to_the_folder_of_the_run(command, copied):
    (copied / "report.html").unlink()
    result = command("report", copied)
    assert (result.status, result.out) == (0, f"The report is {copied / 'report.html'}\n")
    assert (copied / "report.html").exists()


def test_without_the_data_the_report_has_no_pictures_and_a_line_says_so(command, copied):
    config = json.loads((copied / "config.json").read_text())
    config["options"]["data"] = "/gone"
    (copied / "config.json").write_text(json.dumps(config))
    result = command("report", copied)
    assert result.status == 0
    first, second = result.out.splitlines()
    assert first.startswith("Without pictures and features, because the data cannot be read: /gone: ")
    assert second == f"The report is {copied / 'report.html'}"
    assert "<img" not in (copied / "report.html").read_text()


def test_other_data_than_that_of_the_run_gives_no_pictures(command, copied):
    config = json.loads((copied / "config.json").read_text())
    config["data"]["content"] = "another"
    (copied / "config.json").write_text(json.dumps(config))
    assert "the data is not what this run was trained on" in command("report", copied).out


def test_several_runs_are_compared(command, trained, copied, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = command("report", trained.folder, copied)
    assert (result.status, result.out) == (0, "The comparison of 2 runs is compare.html\n")
    assert "Comparison of runs" in (tmp_path / "compare.html").read_text()
    assert command("report", trained.folder, copied, "--out", "sub/c.html").status == 0
    assert (tmp_path / "sub" / "c.html").exists()


@pytest.mark.parametrize("several", [False, True])
def test_a_file_that_exists_is_replaced_only_with_overwrite(command, trained, copied, tmp_path, several):
    (tmp_path / "mine.html").write_text("mine")
    arguments = ["report", trained.folder, *[copied] * several, "--out", tmp_path / "mine.html"]
    result = command(*arguments)
    assert (result.status, (tmp_path / "mine.html").read_text()) == (2, "mine")
    assert "--out: expected a new file, found" in result.err
    assert command(*arguments, "--overwrite").status == 0
    assert "<html" in (tmp_path / "mine.html").read_text()


def test_a_folder_without_a_run_and_another_suffix_are_refused(command, trained, tmp_path):
    result = command("report", tmp_path)
    assert (result.status, result.out) == (2, "")
    assert result.err == f"tinydnn: {tmp_path}: expected the folder of a finished run, found no config.json\n"
    result = command("report", trained.folder, "--out", tmp_path / "report.pdf")
    assert result.err == f"tinydnn: --out: expected a name that ends in .html, found {tmp_path / 'report.pdf'}\n"
