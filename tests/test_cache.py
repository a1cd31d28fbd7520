"""The cache folder: every file that tinydnn stores is recognised, and nothing else is deleted."""

import os
import subprocess
import sys
import time

import h5py
import pytest

from tinydnn.cache import Kind, cache_entries, remove_entry
from tinydnn.data.crop import Crop
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import TORCHVISION
from tinydnn.data.prepare.cache import phantoms, prepared
from tinydnn.layers import ReLU, Sequential
from tinydnn.training.features import cached_features
from tinydnn.weights.published import PUBLISHED


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("TINYDNN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def kinds():
    return {entry.path.name: entry.kind for entry in cache_entries()}


def named(name):
    [entry] = [entry for entry in cache_entries() if entry.path.name == name]
    return entry


def old(path):
    """Make the file look abandoned."""
    os.utime(path, (time.time() - 7200,) * 2)


def test_prepared_files_phantoms_and_features_are_recognised(folder):
    drawn = phantoms(12, size=16)
    crops = (Crop(), Crop("head"), Crop("tumour", 0.3), Crop("ring", 1e-05))
    paths = [prepared(drawn, size=16, crop=crop) for crop in crops]
    dataset = Dataset.open(paths[0])
    cached_features(dataset, Sequential(ReLU(), input_shape=(3, 16, 16)), TORCHVISION)
    found = list(kinds().values())
    assert found == [Kind.PREPARED] * len(crops) + [Kind.PHANTOMS, Kind.FEATURES]
    sizes = {entry.path: entry.size for entry in cache_entries()}
    assert sizes[drawn] == sum(path.stat().st_size for path in drawn.iterdir())
    assert sizes[paths[0]] == paths[0].stat().st_size


def test_weights_kernels_and_temporary_files_are_recognised(folder):
    (folder / "emulated").mkdir()
    (folder / "weights").mkdir()
    digest = "0123456789abcdef" * 2
    expected = {"emulated": Kind.KERNELS}
    for file in PUBLISHED.values():
        expected |= {file.name: Kind.WEIGHTS, f"{file.name}.part": Kind.WEIGHTS}
    expected |= {
        f"{digest}-16-v1.h5.partial": Kind.PREPARED,
        f"{digest}-16-head-v1.h5.partial-finishing": Kind.PREPARED,
    }
    expected |= {f".features-{digest}-v1-a_b3.h5": Kind.FEATURES}
    for name, kind in expected.items():
        if kind is not Kind.KERNELS:
            (folder / ("weights" if kind is Kind.WEIGHTS else "") / name).write_bytes(b"abc")
    (folder / ".phantoms-a_b3").mkdir()
    assert kinds() == {**expected, ".phantoms-a_b3": Kind.PHANTOMS}


def test_what_tinydnn_did_not_write_is_never_deleted(folder):
    (folder / "weights").mkdir()
    for name in ("thesis.h5", "phantoms", "features.h5", "weights/mine.pth"):
        (folder / name).write_text("precious")
    assert set(kinds().values()) == {None}
    for entry in cache_entries():
        with pytest.raises(ValueError, match="expected an entry that tinydnn wrote"):
            remove_entry(entry)
        assert entry.path.read_text() == "precious"


def test_links_are_deleted_and_what_they_lead_to_is_not(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("vgg16-397923af.pth", "1.mat"):
        (outside / name).write_text("precious")
    (folder / "weights").symlink_to(outside)
    (folder / "emulated").symlink_to(outside)
    (folder / "phantoms-0.1.0-6-16").mkdir()
    (folder / "phantoms-0.1.0-6-16" / "link").symlink_to(outside)
    (folder / ("0" * 32 + "-16-v1.h5")).symlink_to(outside / "1.mat")
    assert kinds()["weights"] is None
    removed = [remove_entry(entry) for entry in cache_entries() if entry.kind]
    assert removed == [True, True, True]
    assert [path.name for path in folder.iterdir()] == ["weights"]
    assert sorted(path.name for path in outside.iterdir()) == ["1.mat", "vgg16-397923af.pth"]


@pytest.mark.skipif(sys.platform == "win32", reason="there, an open file cannot be deleted anyway")
def test_a_file_that_another_process_reads_is_left(folder):
    path = folder / ("0" * 32 + "-16-v1.h5")
    with h5py.File(path, "w") as file:
        file["x"] = [1]
    code = f"import h5py, sys; file = h5py.File({str(path)!r}); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        reader.stdout.readline()
        assert not remove_entry(named(path.name))
        assert path.exists()
        reader.stdin.close()
        reader.wait()
    assert remove_entry(named(path.name))
    assert not path.exists()


@pytest.mark.parametrize("name", [".phantoms-abc", "weights/vgg16-397923af.pth.part"])
def test_a_young_temporary_file_is_left(folder, name):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.mkdir() if name.startswith(".") else path.write_bytes(b"abc")
    assert not remove_entry(named(path.name))
    old(path)
    assert remove_entry(named(path.name))
    assert not path.exists()


def test_an_entry_that_has_vanished_counts_as_removed(folder):
    path = folder / ("0" * 32 + "-16-v1.h5")
    path.write_bytes(b"abc")
    entry = named(path.name)
    path.unlink()
    assert remove_entry(entry)


def test_a_missing_cache_folder_is_empty(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYDNN_CACHE", str(tmp_path / "none"))
    assert cache_entries() == []
