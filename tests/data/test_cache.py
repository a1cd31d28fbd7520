"""Prepared files found again by content."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pooch
import pytest

from tinydnn.data.dataset import Dataset
from tinydnn.data.prepare.cache import phantoms, prepared
from tinydnn.errors import InputError
from tinydnn.storage import cache_folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYDNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def made_again(path, **options):
    """Whether `prepared` converts, rather than find what it made before."""
    told = []
    prepared(path, size=8, progress=lambda *step: told.append(step), **options)
    return bool(told)


def test_the_variable_or_the_system_says_where_the_cache_is(cache, monkeypatch):
    assert cache_folder() == cache
    monkeypatch.delenv("TINYDNN_CACHE")
    assert cache_folder() == Path(pooch.os_cache("tinydnn"))


def test_the_same_data_are_prepared_once(mats, cache):
    first = prepared(mats, size=8)
    assert first.parent == cache
    assert Dataset.open(first).size == 8
    assert not made_again(mats)


def test_data_are_found_again_under_another_name_and_in_a_zip(mats, tmp_path):
    assert made_again(mats)
    moved = mats.rename(tmp_path / "moved")
    assert not made_again(moved)
    assert not made_again(Path(shutil.make_archive(str(tmp_path / "packed"), "zip", moved)))


def test_other_data_under_the_same_name_are_prepared_anew(mats, published):
    assert made_again(mats)
    shutil.rmtree(mats)
    published(mats, [1, 2, 3, 4, 5, 10, 12])
    assert made_again(mats)


def test_another_size_is_another_file(mats):
    assert prepared(mats, size=8) != prepared(mats, size=16)


def test_a_damaged_file_in_the_cache_is_made_anew(mats):
    path = prepared(mats, size=8)
    path.write_bytes(path.read_bytes()[:1000])
    assert prepared(mats, size=8) == path
    assert len(Dataset.open(path)) == 7


def test_slices_left_out_once_are_not_left_out_silently_later(mats):
    (mats / "4.mat").write_bytes(b"broken")
    assert made_again(mats, skip_broken=True)
    with pytest.raises(InputError, match=r"4\.mat: expected a MATLAB"):
        prepared(mats, size=8)
    assert not made_again(mats, skip_broken=True)


def test_a_prepared_file_is_its_own_cache(mats, tmp_path):
    own = shutil.copy(prepared(mats, size=8), tmp_path / "own.h5")
    assert prepared(own, size=8) == own
    with pytest.raises(InputError, match=r"own\.h5: expected slices of 16 x 16 pixels, found 8 x 8"):
        prepared(own, size=16)


def test_an_hdf5_file_of_another_kind_is_refused(mats, tmp_path):
    other = shutil.copy(mats / "1.mat", tmp_path / "other.h5")
    with pytest.raises(InputError, match="found an HDF5 file of another kind"):
        prepared(other)


def test_two_at_once_prepare_once(mats):
    """While the first prepares, a second process waits, and finds what the first has made."""
    code = "import sys; from tinydnn.data.prepare.cache import prepared; prepared(sys.argv[1], size=8, progress=print)"
    second = []

    def progress(done, total):
        if done == 1:
            second.append(subprocess.Popen([sys.executable, "-c", code, mats], stdout=subprocess.PIPE))
            time.sleep(0.8)

    prepared(mats, size=8, progress=progress)
    assert second[0].communicate(timeout=60) == (b"", None)
    assert second[0].returncode == 0


def test_phantoms_of_another_process_that_was_faster_are_taken(published, monkeypatch):
    def draw(folder, *, slices, size, progress):
        published(folder, range(1, slices + 1))
        if not told:
            told.append(True)
            phantoms(slices, size=size)

    told = []
    monkeypatch.setattr("tinydnn.data.phantoms.write_phantoms", draw)
    assert len(list(phantoms(3, size=16).glob("*.mat"))) == 4


def test_phantoms_are_drawn_once_and_whole_or_not_at_all(cache, published, monkeypatch):
    calls = []

    def draw(folder, *, slices, size, progress):
        calls.append(size)
        published(folder, range(1, slices + 1), side=size)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("tinydnn.data.phantoms.write_phantoms", draw)
    with pytest.raises(KeyboardInterrupt):
        phantoms(3, size=16)
    assert list(cache.iterdir()) == []
    folder = phantoms(3, size=16)
    assert phantoms(3, size=16) == folder
    assert phantoms(3, size=8) != folder
    assert calls == [16, 16, 8]
    assert len(list(folder.glob("*.mat"))) == 4
