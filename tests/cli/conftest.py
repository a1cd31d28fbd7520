"""Running the commands in this process, and the folder of a finished run."""

import contextlib
import io
import sys
from types import SimpleNamespace
from unittest import mock

import pytest

from tinydnn.cli import main


@pytest.fixture
def command(monkeypatch, capsys):
    """A function that runs a command and returns its exit status and what it printed on either stream."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tinydnn", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return SimpleNamespace(status=end.value.code, **capsys.readouterr()._asdict())

    return run


@pytest.fixture(scope="session")
def printed_by():
    """A function for fixtures of any scope: it runs a command that must succeed and returns what it printed."""

    def run(*arguments):
        printed = io.StringIO()
        with (
            mock.patch.object(sys, "argv", ["tinydnn", *map(str, arguments)]),
            contextlib.redirect_stdout(printed),
            pytest.raises(SystemExit) as end,
        ):
            main()
        assert end.value.code == 0
        return printed.getvalue()

    return run


@pytest.fixture(scope="session")
def trained(printed_by, slices, tmp_path_factory):
    """The folder of a finished run on the slices, and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    options = ["--size", "16", "--batch-size", "16", "--epochs", "4", "--lr", "0.01", "--schedule", "constant"]
    printed = printed_by("train", slices, *options, "--out", folder)
    return SimpleNamespace(folder=folder, printed=printed, model=folder / "model.h5")


@pytest.fixture
def no_plots(monkeypatch):
    """Skip the drawing of plots and reports, which takes the most time and is tested elsewhere."""
    for name in ("training_progress", "confusion_matrix", "folds", "save"):
        monkeypatch.setattr(f"tinydnn.plots.{name}", lambda *_, **__: None)
    monkeypatch.setattr("tinydnn.runs.html_report.write_report", lambda *_, **__: None)
