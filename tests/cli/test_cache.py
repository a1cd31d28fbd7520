"""`tinydnn cache`: what it lists, deletes and asks."""

import io
import os

import pytest

PREPARED = "0" * 32 + "-16-v1.h5"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache folder with a prepared file of 1.5 MB, phantoms of 0.2 MB and a file of another program."""
    folder = tmp_path / "cache"
    (folder / "phantoms-0.1.0-6-16").mkdir(parents=True)
    for name, size in ((PREPARED, 1_500_000), ("phantoms-0.1.0-6-16/1.mat", 200_000), ("mine.txt", 10)):
        (folder / name).write_bytes(bytes(size))
        os.utime(folder / name, (1_700_000_000,) * 2)
    monkeypatch.setenv("TINYDNN_CACHE", str(folder))
    monkeypatch.setenv("TZ", "UTC")
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_list_shows_sizes_dates_and_totals(command, folder):
    result = command("cache", "list")
    assert (result.status, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].split()[:3] == ["prepared", "1.5", "MB"]
    assert lines[0].split()[3].startswith("2023-11-1")
    assert lines[0].endswith(PREPARED)
    assert lines[1].endswith("  phantoms-0.1.0-6-16/")
    assert lines[2].split()[0] == "other"
    assert lines[3:] == [
        "prepared  1.5 MB in 1 entry",
        "phantoms  0.2 MB in 1 entry",
        "other     0.0 MB in 1 entry",
        f"all       1.7 MB in 3 entries, in {folder}",
    ]


def test_clear_deletes_one_kind(command, folder):
    result = command("cache", "clear", "phantoms", "--yes")
    assert (result.status, result.out) == (0, f"Freed 0.2 MB in 1 entry in {folder}\n")
    assert names(folder) == [PREPARED, "mine.txt"]


def test_clear_deletes_all_but_the_files_of_others(command, folder):
    result = command("cache", "clear", "--yes")
    assert (result.status, result.out) == (0, f"Freed 1.7 MB in 2 entries in {folder}\n")
    assert names(folder) == ["mine.txt"]
    assert command("cache", "clear").out == f"Nothing to delete in {folder}\n"


@pytest.mark.parametrize(("answer", "left"), [("y\n", ["mine.txt"]), ("n\n", None), ("\n", None)])
def test_clear_asks_first(command, folder, monkeypatch, answer, left):
    before = names(folder)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    result = command("cache", "clear")
    assert result.status == 0
    assert f"Delete 1.7 MB in 2 entries from {folder}? [y/N]" in result.out
    assert names(folder) == (left or before)
    assert ("Nothing was deleted." in result.out) == (left is None)


@pytest.mark.parametrize("stdin", [None, io.StringIO("")], ids=["closed", "empty"])
def test_without_an_answer_nothing_is_deleted(command, folder, monkeypatch, stdin):
    before = names(folder)
    monkeypatch.setattr("sys.stdin", stdin)
    result = command("cache", "clear")
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "expected --yes, or an answer on standard input, found neither" in result.err
    assert names(folder) == before


def test_what_may_be_in_use_is_named_and_left(command, folder, monkeypatch):
    monkeypatch.setattr("tinydnn.cache._locked", lambda path: path.name == PREPARED)
    result = command("cache", "clear", "--yes")
    assert result.out.splitlines() == [
        f"Left, because it may be in use: {PREPARED}",
        f"Freed 0.2 MB in 1 entry in {folder}",
    ]
    assert names(folder) == [PREPARED, "mine.txt"]


def test_an_unknown_kind_is_refused_in_one_line(command, folder):
    result = command("cache", "clear", "other", "--yes")
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "prepared" in result.err
