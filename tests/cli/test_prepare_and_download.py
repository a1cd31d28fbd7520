"""The commands that fetch data and prepare them: what they print, and how they fail."""

import sys

import numpy as np
import pytest
from PIL import Image

import tinydnn.cli.download
import tinydnn.cli.prepare  # noqa: F401 - registers its command
from tinydnn.cli import main
from tinydnn.data.dataset import Dataset
from tinydnn.data.phantoms.matlab import write_slice
from tinydnn.errors import InputError


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a command; return its exit status and what it printed on either stream."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tinydnn", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, *capsys.readouterr()

    return run


@pytest.fixture
def mats(tmp_path):
    """Three slices of two patients, and a file that is none."""
    for number, label in enumerate([1, 2, 2], start=1):
        write_slice(
            tmp_path / "mats" / f"{number}.mat",
            image=np.eye(8) * number, mask=np.eye(8), label=label, pid=f"MR{label}", border=[1, 1],
        )  # fmt: skip
    (tmp_path / "mats" / "4.mat").write_bytes(b"broken")
    return tmp_path / "mats"


def test_prepare_says_what_it_made_and_what_it_left_out(command, mats, tmp_path):
    status, printed, _ = command("prepare", mats, "-o", tmp_path / "a.h5", "--size", 16, "--skip-broken")
    assert status == 0
    lines = printed.splitlines()
    assert lines[0].startswith("3 slices of 2 patients, 16 x 16 pixels, in ")
    assert lines[1] == "meningioma 1, glioma 2, pituitary 0"
    assert lines[2].startswith("Left out: 4.mat: ")
    assert len(lines) == 3
    assert len(Dataset.open(tmp_path / "a.h5")) == 3


def test_prepare_stops_at_a_broken_file_with_one_line(command, mats, tmp_path):
    status, printed, error = command("prepare", mats, "-o", tmp_path / "a.h5")
    assert (status, printed) == (2, "")
    assert "4.mat: expected a MATLAB v7.3 (HDF5) file" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "a.h5").exists()


def test_prepare_takes_pictures_of_unknown_patients(command, tmp_path):
    for name in ("healthy", "tumour"):
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.fromarray(np.eye(8, dtype=np.uint8)).save(tmp_path / "images" / name / "1.png")
    status, printed, _ = command("prepare", tmp_path / "images", "--out", tmp_path / "a.h5", "--size", 8)
    assert status == 0
    assert printed.startswith("2 slices, patients unknown, 8 x 8 pixels, in ")
    assert "healthy 1, tumour 1" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["none", "-o", "a.h5"], "none: expected a folder of .mat files"),
        (["mats", "-o", "a.h5", "--size", "4"], "size: expected 8 to 2048 pixels, found 4"),
        (["mats", "-o", "a.png"], "--out: expected a name that ends in .h5 or .hdf5, found a.png"),
        (["mats"], "'--out'"),
    ],
)
def test_bad_input_to_prepare_is_one_line_and_status_two(command, mats, monkeypatch, options, message):
    monkeypatch.chdir(mats.parent)
    status, _, error = command("prepare", *options)
    assert status == 2
    assert message in error
    assert error.count("\n") == 1


def test_download_says_where_the_files_are_and_whom_to_name(command, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("tinydnn.data.read.download.download", lambda folder, progress: asked.append(folder))
    status, printed, _ = command("download", tmp_path)
    assert (status, asked) == (0, [tmp_path])
    assert f"are in {tmp_path}" in printed
    assert "Jun Cheng" in printed


def test_a_refused_download_tells_how_to_do_it_by_hand(command, monkeypatch, tmp_path):
    def refuse(folder, progress):
        raise InputError("the server refused with HTTP status 403\nBy hand: open the article")

    monkeypatch.setattr("tinydnn.data.read.download.download", refuse)
    status, _, error = command("download", tmp_path)
    assert status == 2
    assert "403" in error
    assert "By hand" in error
