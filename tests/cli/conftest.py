"""Running the commands in this process, and a finished run to try them on."""

import contextlib
import io
import sys
from types import SimpleNamespace
from unittest import mock

import pytest

from tinydnn.cli import main


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a command; return its exit status and what it printed on either stream."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tinydnn", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return SimpleNamespace(status=end.value.code, **capsys.readouterr()._asdict())

    return run


@pytest.fixture(scope="session")
def trained(slices, tmp_path_factory):
    """The folder of a finished run on the slices, and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    options = "--size 16 --batch-size 16 --epochs 4 --lr 0.01 --schedule constant --out"
    printed = io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["tinydnn", "train", str(slices), *options.split(), str(folder)]),
        contextlib.redirect_stdout(printed),
        pytest.raises(SystemExit) as end,
    ):
        main()
    assert end.value.code == 0
    return SimpleNamespace(folder=folder, printed=printed.getvalue(), model=folder / "model.h5")
