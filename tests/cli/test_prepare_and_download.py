"""The commands `prepare` and `download`: output and errors."""

import numpy as np
import pytest
from PIL import Image

from tinydnn.data.dataset import Dataset
from tinydnn.data.phantoms.matlab import write_slice
from tinydnn.errors import InputError


@pytest.fixture
def mats(tmp_path):
    """Three slices of two patients, and a broken file."""
    for number, label in enumerate([1, 2, 2], start=1):
        write_slice(
            tmp_path / "mats" / f"{number}.mat",
            image=np.eye(8) * number, mask=np.eye(8), label=label, pid=f"MR{label}", border=[1, 1],
        )  # fmt: skip
    (tmp_path / "mats" / "4.mat").write_bytes(b"broken")
    return tmp_path / "mats"


def test_prepare_summarises_the_file_and_skipped_slices(command, mats, tmp_path):
    result = command("prepare", mats, "-o", tmp_path / "a.h5", "--size", 16, "--skip-broken")
    assert result.status == 0
    lines = result.out.splitlines()
    assert lines[0].startswith("3 slices of 2 patients, 16 x 16 pixels, in ")
    assert lines[1] == "meningioma 1, glioma 2, pituitary 0"
    assert lines[2].startswith("Left out: 4.mat: ")
    assert len(lines) == 3
    assert len(Dataset.open(tmp_path / "a.h5")) == 3


def test_prepare_stops_at_a_broken_file_with_one_line(command, mats, tmp_path):
    result = command("prepare", mats, "-o", tmp_path / "a.h5")
    assert (result.status, result.out) == (2, "")
    assert "4.mat: expected a MATLAB v7.3 (HDF5) file" in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "a.h5").exists()


def test_prepare_replaces_a_file_only_on_request(command, mats, tmp_path):
    out = tmp_path / "model.h5"
    out.write_bytes(b"a model")
    result = command("prepare", mats, "--size", 16, "-o", out, "--skip-broken")
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert f"--out: expected a new file, found {out}; choose another name, or --overwrite it" in result.err
    assert out.read_bytes() == b"a model"
    assert command("prepare", mats, "--size", 16, "-o", out, "--skip-broken", "--overwrite").status == 0
    assert Dataset.open(out).size == 16


def test_prepare_accepts_image_folders(command, tmp_path):
    for name in ("healthy", "tumour"):
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.fromarray(np.eye(8, dtype=np.uint8)).save(tmp_path / "images" / name / "1.png")
    result = command("prepare", tmp_path / "images", "--out", tmp_path / "a.h5", "--size", 8)
    assert result.status == 0
    assert result.out.startswith("2 slices, patients unknown, 8 x 8 pixels, in ")
    assert "healthy 1, tumour 1" in result.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["none", "-o", "a.h5"], "none: expected a folder of .mat files"),
        (["mats", "-o", "a.h5", "--size", "4"], "size: expected 8 to 2048 pixels, found 4"),
        (["mats", "-o", "a.png"], "--out: expected a name that ends in .h5 or .hdf5, found a.png"),
        (["mats"], "'--out'"),
    ],
)
def test_bad_input_to_prepare_is_one_line_and_status_2(command, mats, monkeypatch, options, message):
    monkeypatch.chdir(mats.parent)
    result = command("prepare", *options)
    assert result.status == 2
    assert message in result.err
    assert result.err.count("\n") == 1


def test_download_prints_folder_and_source(command, monkeypatch, tmp_path):
    folders = []
    monkeypatch.setattr("tinydnn.data.read.download.download", lambda folder, progress: folders.append(folder))
    result = command("download", tmp_path)
    assert (result.status, folders) == (0, [tmp_path])
    assert f"are in {tmp_path}" in result.out
    assert "Jun Cheng" in result.out


def test_a_refused_download_explains_how_to_do_it_by_hand(command, monkeypatch, tmp_path):
    def refuse(folder, progress):
        raise InputError("the server refused with HTTP status 403\nBy hand: open the article")

    monkeypatch.setattr("tinydnn.data.read.download.download", refuse)
    result = command("download", tmp_path)
    assert result.status == 2
    assert "403" in result.err
    assert "By hand" in result.err
