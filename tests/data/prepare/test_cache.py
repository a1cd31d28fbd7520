"""The cache: prepared files keyed by content, and phantoms."""

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


def converts(path, **options):
    """Whether `prepared` converts the data instead of using the cache."""
    progress = []
    prepared(path, size=8, progress=lambda *step: progress.append(step), **options)
    return bool(progress)


def test_the_cache_folder_is_set_by_the_variable_or_the_system(cache, monkeypatch):
    assert cache_folder() == cache
    monkeypatch.delenv("TINYDNN_CACHE")
    assert cache_folder() == Path(pooch.os_cache("tinydnn"))


def test_the_same_data_are_prepared_once(mats, cache):
    first = prepared(mats, size=8)
    assert first.parent == cache
    assert Dataset.open(first).size == 8
    assert not converts(mats)


def test_moved_and_zipped_data_are_not_prepared_again(mats, tmp_path):
    assert converts(mats)
    moved = mats.rename(tmp_path / "moved")
    assert not converts(moved)
    assert not converts(Path(shutil.make_archive(str(tmp_path / "packed"), "zip", moved)))


def test_changed_data_under_the_same_name_are_prepared_again(mats, published):
    assert converts(mats)
    shutil.rmtree(mats)
    published(mats, [1, 2, 3, 4, 5, 10, 12])
    assert converts(mats)


def test_each_size_has_its_own_file(mats):
    assert prepared(mats, size=8) != prepared(mats, size=16)


def test_a_damaged_cached_file_is_prepared_again(mats):
    path = prepared(mats, size=8)
    path.write_bytes(path.read_bytes()[:1000])
    assert prepared(mats, size=8) == path
    assert len(Dataset.open(path)) == 7


def test_a_cached_file_with_skipped_slices_needs_skip_broken(mats):
    (mats / "4.mat").write_bytes(b"broken")
    assert converts(mats, skip_broken=True)
    with pytest.raises(InputError, match=r"4\.mat: expected a MATLAB"):
        prepared(mats, size=8)
    assert not converts(mats, skip_broken=True)


def test_a_prepared_file_is_returned_as_it_is(mats, tmp_path):
    own = shutil.copy(prepared(mats, size=8), tmp_path / "own.h5")
    assert prepared(own, size=8) == own
    with pytest.raises(InputError, match=r"own\.h5: expected slices of 16 x 16 pixels, found 8 x 8"):
        prepared(own, size=16)


def test_an_hdf5_file_of_another_kind_is_refused(mats, tmp_path):
    other = shutil.copy(mats / "1.mat", tmp_path / "other.h5")
    with pytest.raises(InputError, match="found an HDF5 file of another kind"):
        prepared(other)


def test_two_processes_prepare_the_data_once(mats):
    """While the first process prepares, the second waits, and then uses the result."""
    code = "import sys; from tinydnn.data.prepare.cache import prepared; prepared(sys.argv[1], size=8, progress=print)"
    processes = []

    def progress(done, total):
        if done == 1:
            processes.append(subprocess.Popen([sys.executable, "-c", code, mats], stdout=subprocess.PIPE))
            time.sleep(0.8)

    prepared(mats, size=8, progress=progress)
    assert processes[0].communicate(timeout=60) == (b"", None)
    assert processes[0].returncode == 0


def test_phantoms_drawn_first_by_another_process_are_used(published, monkeypatch):
    def draw(folder, *, slices, size, progress):
        published(folder, range(1, slices + 1))
        if not others:
            others.append(True)
            phantoms(slices, size=size)

    others = []
    monkeypatch.setattr("tinydnn.data.phantoms.write_phantoms", draw)
    assert len(list(phantoms(3, size=16).glob("*.mat"))) == 4


def test_phantoms_are_drawn_once_and_completely(cache, published, monkeypatch):
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
