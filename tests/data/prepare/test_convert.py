"""Prepare: the contents of the file, broken input, and atomic output."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinydnn.data.dataset import Dataset
from tinydnn.data.phantoms.matlab import write_slice
from tinydnn.data.prepare.pixels import resize_mask, to_uint8
from tinydnn.data.read.figshare import read_slice
from tinydnn.errors import InputError

NUMBERS = [1, 2, 3, 4, 5, 10, 11]


def test_a_prepared_file_has_all_slices_with_all_fields(mats, tmp_path, prepare_folder):
    dataset = Dataset.open(prepare_folder(mats, tmp_path / "a.h5", size=8))
    assert dataset.files == tuple(f"{number}.mat" for number in NUMBERS)
    assert dataset.labels.tolist() == [number % 3 for number in NUMBERS]
    assert dataset.patients.tolist() == [f"MR{number // 2:05d}" for number in NUMBERS]
    assert dataset.folds.tolist() == [(number - 1) % 5 + 1 for number in NUMBERS]
    for row, name in enumerate(dataset.files):
        stored = read_slice(mats / name, name)
        assert np.array_equal(dataset.images[row], to_uint8(stored.image, 8)[None])
        assert np.array_equal(dataset.masks[row], resize_mask(stored.mask, 8))


def test_slices_of_different_sizes_are_resized_to_one(published, tmp_path, prepare_folder):
    published(tmp_path / "mats", [1, 2], side=32)
    published(tmp_path / "mats", [3], side=16)
    dataset = Dataset.open(prepare_folder(tmp_path / "mats", tmp_path / "a.h5", size=16))
    assert dataset.images.shape == (3, 1, 16, 16)


def test_masks_survive_a_size_that_is_no_multiple_of_8(mats, tmp_path, prepare_folder):
    dataset = Dataset.open(prepare_folder(mats, tmp_path / "a.h5", size=13))
    assert np.array_equal(dataset.masks[0], resize_mask(read_slice(mats / "1.mat", "").mask, 13))


def test_images_are_stored_in_chunks_of_one(mats, tmp_path, prepare_folder):
    assert Dataset.open(prepare_folder(mats, tmp_path / "a.h5", size=8)).images.chunks == (1, 1, 8, 8)


def test_pids_with_different_letters_are_one_family(mats, tmp_path, prepare_folder, contents):
    for number, pid in enumerate(["MR024780B", "MR024780D"], start=20):
        write_slice(mats / f"{number}.mat", image=np.eye(4), mask=np.eye(4), label=2, pid=pid, border=[1, 1])
    out = prepare_folder(mats, tmp_path / "a.h5", size=8)
    assert Dataset.open(out).patients[-2:].tolist() == ["MR024780", "MR024780"]
    assert contents(out)["pid"][-2:] == [b"MR024780B", b"MR024780D"]


@pytest.mark.parametrize(("pid", "synthetic"), [("PHANTOM7", True), ("100360", False)])
def test_phantoms_are_recognised_by_their_pids(tmp_path, pid, synthetic, prepare_folder):
    write_slice(tmp_path / "1.mat", image=np.eye(4), mask=np.eye(4), label=2, pid=pid, border=[1, 1])
    assert Dataset.open(prepare_folder(tmp_path, tmp_path / "a.h5", size=8)).synthetic is synthetic


def test_names_may_be_in_any_script(tmp_path, prepare_folder):
    for name in ("опухоль", "脑瘤"):
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.fromarray(np.eye(9, dtype=np.uint8)).save(tmp_path / "data" / name / "größe.png")
    dataset = Dataset.open(prepare_folder(tmp_path / "data", tmp_path / "a.h5", size=8))
    assert dataset.class_names == ("опухоль", "脑瘤")
    assert dataset.files == ("опухоль/größe.png", "脑瘤/größe.png")


def test_undecodable_bytes_in_names_are_replaced(mats, tmp_path, prepare_folder):
    folder = mats.rename(tmp_path / os.fsdecode(b"d\xff"))
    (folder / "1.mat").rename(folder / os.fsdecode(b"s\xff.mat"))
    (folder / "2.mat").rename(folder / os.fsdecode(b"t\xff.mat"))
    (folder / os.fsdecode(b"t\xff.mat")).write_bytes(b"broken")
    dataset = Dataset.open(prepare_folder(folder, tmp_path / "a.h5", size=8, skip_broken=True))
    assert (dataset.source, dataset.files[-1], dataset.skipped[0][0]) == ("d?", "s?.mat", "t?.mat")


def test_progress_is_reported_slice_by_slice(mats, tmp_path, prepare_folder):
    steps = []
    prepare_folder(mats, tmp_path / "a.h5", size=8, progress=lambda *step: steps.append(step))
    assert steps == [(done, 7) for done in range(1, 8)]


def test_a_broken_file_raises_and_leaves_no_result(mats, tmp_path, prepare_folder):
    (mats / "4.mat").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"4\.mat: expected a MATLAB"):
        prepare_folder(mats, tmp_path / "a.h5", size=8)
    assert not (tmp_path / "a.h5").exists()


def test_a_file_that_cannot_be_opened_can_be_skipped(mats, tmp_path, prepare_folder):
    (mats / "6.mat").symlink_to("nowhere")
    with pytest.raises(InputError, match=r"6\.mat: cannot be read \(No such file or directory\)"):
        prepare_folder(mats, tmp_path / "a.h5", size=8)
    dataset = Dataset.open(prepare_folder(mats, tmp_path / "a.h5", size=8, skip_broken=True))
    assert len(dataset) == 7
    assert [name for name, _ in dataset.skipped] == ["6.mat"]


def test_broken_files_can_be_skipped_and_are_listed(mats, tmp_path, prepare_folder):
    for name in ("1.mat", "10.mat"):
        (mats / name).write_bytes((mats / name).read_bytes()[:3000])
    dataset = Dataset.open(prepare_folder(mats, tmp_path / "a.h5", size=8, skip_broken=True))
    assert dataset.files == ("2.mat", "3.mat", "4.mat", "5.mat", "11.mat")
    assert dataset.labels.tolist() == [2, 0, 1, 2, 2]
    assert dataset.folds.tolist() == [2, 3, 4, 5, 1]
    assert len(dataset.images) == len(dataset.masks.packed) == 5
    assert [name for name, _ in dataset.skipped] == ["1.mat", "10.mat"]
    assert all("expected a MATLAB v7.3" in reason for _, reason in dataset.skipped)


def test_a_broken_list_of_folds_can_be_skipped(mats, tmp_path, prepare_folder):
    (mats / "cvind.mat").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"cvind\.mat: expected a MATLAB"):
        prepare_folder(mats, tmp_path / "a.h5", size=8)
    dataset = Dataset.open(prepare_folder(mats, tmp_path / "a.h5", size=8, skip_broken=True))
    assert not dataset.folds.any()
    assert [name for name, _ in dataset.skipped] == ["cvind.mat"]


def test_a_source_with_only_broken_files_is_refused(tmp_path, prepare_folder):
    (tmp_path / "1.mat").write_bytes(b"broken")
    with pytest.raises(InputError, match="expected slices, found 1 broken files and no other"):
        prepare_folder(tmp_path, tmp_path / "a.h5", skip_broken=True)


@pytest.mark.parametrize("size", [0, 7, 2049])
def test_a_size_out_of_range_is_refused(mats, tmp_path, size, prepare_folder):
    with pytest.raises(InputError, match=f"size: expected 8 to 2048 pixels, found {size}"):
        prepare_folder(mats, tmp_path / "a.h5", size=size)


def test_a_path_that_cannot_be_written_is_named(mats, tmp_path, prepare_folder):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"a\.h5: cannot be written"):
        prepare_folder(mats, tmp_path / "file" / "a.h5", size=8)


def test_a_folder_as_output_file_is_refused(mats, tmp_path, prepare_folder):
    with pytest.raises(InputError, match="expected a file to write, found a folder"):
        prepare_folder(mats, tmp_path, size=8)


MEMORY = """
import sys
from pathlib import Path
import numpy as np
from tinydnn.data.read.entries import Entry
from tinydnn.data.read.figshare import Slice
from tinydnn.data.prepare import prepare
from tinydnn.data.read import Source

image = np.arange(64 * 64, dtype=np.int16).reshape(64, 64)
stored = Slice(image, 1, "100360", image > 2000, np.ones(4))

def peak(count):
    entries = {f"{n}.mat": Entry(f"{n}.mat", "", n, bytes, int) for n in range(count)}
    prepare(Source("made", ("a", "b", "c"), entries, lambda name, entry: stored, has_masks=True), sys.argv[1])
    return Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]

print(peak(50), peak(800))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the peak memory that Linux reports")
def test_memory_does_not_grow_with_the_number_of_slices(tmp_path):
    """750 more slices have 55 MB of pixels and masks; the peak grows by less than 15 MB and stays below 400 MB."""
    command = [sys.executable, "-c", MEMORY, tmp_path / "a.h5"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    few, many = (int(kilobytes) / 1024 for kilobytes in output.split())
    assert many - few < 15
    assert many < 400
