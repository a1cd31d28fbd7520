"""Sources: every packing of the published dataset gives the same slices, and other input is refused."""

import shutil
import zipfile

import numpy as np
import pytest

from tinydnn.data.phantoms.matlab import write_folds, write_slice
from tinydnn.data.read import entries, open_source
from tinydnn.errors import InputError

NAMES = ["1.mat", "2.mat", "3.mat", "4.mat", "5.mat", "10.mat", "11.mat"]


def zipped(path, files, *, under="", method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in files:
            archive.write(file, under + file.name)
    return path


def nested_folder(mats, tmp_path):
    shutil.copytree(mats, tmp_path / "outer" / "brainTumorDataPublic")
    return tmp_path / "outer"


def one_zip(mats, tmp_path):
    return zipped(tmp_path / "all.zip", mats.iterdir(), under="brainTumorDataPublic_1-766/")


def folder_of_zips(mats, tmp_path):
    """As published: the slices in zips, with or without a folder inside, next to cvind.mat."""
    folder = tmp_path / "zips"
    folder.mkdir()
    zipped(folder / "b_1-3.zip", [mats / name for name in NAMES[:3]], under="b_1-3/")
    zipped(folder / "b_4-11.zip", [mats / name for name in NAMES[3:]])
    shutil.copy(mats / "cvind.mat", folder)
    return folder


def outer_zip(mats, tmp_path, method=zipfile.ZIP_STORED):
    return zipped(tmp_path / "1512427.zip", folder_of_zips(mats, tmp_path).iterdir(), method=method)


def compressed_outer_zip(mats, tmp_path):
    return outer_zip(mats, tmp_path, zipfile.ZIP_DEFLATED)


def zips_and_unpacked(mats, tmp_path):
    folder = folder_of_zips(mats, tmp_path)
    shutil.copytree(mats, folder / "unpacked")
    return folder


def with_macos_files(mats, tmp_path):
    folder = nested_folder(mats, tmp_path)
    (folder / ".DS_Store").write_bytes(b"no slice")
    (folder / "brainTumorDataPublic" / "._1.mat").write_bytes(b"no slice")
    archive = zipped(tmp_path / "mac.zip", (folder / "brainTumorDataPublic").iterdir())
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr("__MACOSX/1.mat", b"no slice")
    return archive


PACKINGS = [
    nested_folder,
    one_zip,
    folder_of_zips,
    outer_zip,
    compressed_outer_zip,
    zips_and_unpacked,
    with_macos_files,
]


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_packing_gives_the_slices_of_the_folder(mats, tmp_path, packing):
    with open_source(mats) as plain, open_source(packing(mats, tmp_path)) as packed:
        assert packed.names == plain.names == NAMES
        assert packed.class_names == ("meningioma", "glioma", "pituitary")
        assert np.array_equal(packed.folds(), plain.folds())
        assert packed.content == plain.content
        for name in reversed(NAMES):
            assert np.array_equal(packed.read(name).image, plain.read(name).image)


def test_folds_are_looked_up_by_file_number(mats):
    with open_source(mats) as source:
        assert source.folds().tolist() == [(number - 1) % 5 + 1 for number in (1, 2, 3, 4, 5, 10, 11)]


def test_suffixes_and_cvind_may_be_upper_case(mats):
    for file in list(mats.iterdir()):
        file.rename(file.with_name(file.name.upper()))
    with open_source(mats) as source:
        assert source.names == NAMES
        assert source.folds().all()


def test_slices_beyond_a_short_cvind_have_no_fold(mats):
    write_folds(mats / "cvind.mat", [5, 4, 3, 2])
    with open_source(mats) as source:
        assert source.folds().tolist() == [5, 4, 3, 2, 0, 0, 0]


def test_without_cvind_folds_are_unknown(mats):
    (mats / "cvind.mat").unlink()
    with open_source(mats) as source:
        assert source.names == NAMES
        assert not source.folds().any()


def test_content_depends_on_every_byte_but_not_on_the_location(mats):
    before = open_source(mats).content
    moved = mats.rename(mats.with_name("moved"))
    assert open_source(moved).content == before
    file = moved / "3.mat"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert open_source(moved).content != before


def test_content_changes_when_a_slice_is_removed_or_renumbered(mats):
    before = open_source(mats).content
    (mats / "11.mat").rename(mats / "12.mat")
    renumbered = open_source(mats).content
    (mats / "12.mat").unlink()
    assert len({before, renumbered, open_source(mats).content}) == 3


def test_two_different_slices_with_the_same_number_are_refused(mats):
    (mats / "more").mkdir()
    shutil.copy(mats / "1.mat", mats / "more" / "002.mat")
    with pytest.raises(InputError, match=r"expected each slice once, found another 2\.mat at"):
        open_source(mats)


def test_errors_give_the_full_path_of_a_file_within_a_zip(mats, tmp_path):
    (mats / "2.mat").write_bytes(b"broken")
    where = r"1512427\.zip/b_1-3\.zip/b_1-3/2\.mat"
    with (
        open_source(outer_zip(mats, tmp_path)) as source,
        pytest.raises(InputError, match=f"{where}: expected a MATLAB"),
    ):
        source.read("2.mat")


def test_a_damaged_member_of_a_zip_is_named(mats, tmp_path):
    archive = zipped(tmp_path / "all.zip", [mats / "1.mat"], method=zipfile.ZIP_STORED)
    data = bytearray(archive.read_bytes())
    data[1000] ^= 255
    archive.write_bytes(data)
    with open_source(archive) as source, pytest.raises(InputError, match=r"all\.zip/1\.mat: cannot be read \(Bad CRC"):
        source.read("1.mat")


def test_a_member_that_cannot_be_decompressed_is_named(mats, tmp_path):
    archive = zipped(tmp_path / "all.zip", [mats / "1.mat"], method=zipfile.ZIP_LZMA)
    data = bytearray(archive.read_bytes())
    data[60:90] = bytes(30)
    archive.write_bytes(data)
    with open_source(archive) as source, pytest.raises(InputError, match=r"all\.zip/1\.mat: cannot be read \("):
        source.read("1.mat")


def test_an_encrypted_member_is_named(mats, tmp_path):
    archive = zipped(tmp_path / "all.zip", [mats / "1.mat"])
    data = bytearray(archive.read_bytes())
    for signature, offset in (b"PK\x03\x04", 6), (b"PK\x01\x02", 8):
        data[data.index(signature) + offset] |= 1
    archive.write_bytes(data)
    with (
        open_source(archive) as source,
        pytest.raises(InputError, match=r"all\.zip/1\.mat: .*, found an encrypted one"),
    ):
        source.read("1.mat")


@pytest.mark.parametrize("kind", [".mat", ".zip"])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(entries, {".mat": "MAX_BYTES", ".zip": "MAX_ZIP_BYTES"}[kind], 2**20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"1{kind}", bytes(2**21))
    where = rf"bomb\.zip/1\{kind}"
    with (
        pytest.raises(InputError, match=f"{where}: expected at most 1 MB, found 2 MB"),
        open_source(tmp_path / "bomb.zip") as source,
    ):
        source.read("1.mat")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_inner_zips_of_the_same_name_are_both_read(mats, tmp_path):
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        for name in ("1.mat", "2.mat"):
            archive.write(zipped(tmp_path / "part.zip", [mats / name]), "part.zip")
    with open_source(tmp_path / "outer.zip") as source, open_source(mats) as plain:
        for name in ("2.mat", "1.mat"):
            assert np.array_equal(source.read(name).image, plain.read(name).image)


def test_paths_in_a_zip_are_ignored_and_names_have_a_limit(mats, tmp_path):
    """Members are never unpacked under their own path, so "../" is harmless."""
    with open_source(zipped(tmp_path / "all.zip", [mats / "1.mat"], under="../../etc/")) as source:
        assert source.names == ["1.mat"]
    with zipfile.ZipFile(tmp_path / "long.zip", "w") as archive:
        archive.writestr("9" * 5000 + ".mat", b"")
    with pytest.raises(InputError, match=r"long\.zip: expected names of at most 255 characters, found 9{40}…"):
        open_source(tmp_path / "long.zip")


@pytest.mark.parametrize("depth", ["zip", "outer zip"])
def test_a_truncated_zip_is_named(mats, tmp_path, depth):
    archive = one_zip(mats, tmp_path)
    archive.write_bytes(archive.read_bytes()[:-100])
    if depth == "outer zip":
        archive = zipped(tmp_path / "outer.zip", [archive])
    with pytest.raises(InputError, match=r"all\.zip: cannot be read \(File is not a zip file\)"):
        open_source(archive)


@pytest.mark.parametrize("kind", ["no such file or folder", "another kind of file", "no slices"])
def test_other_files_and_folders_are_refused(tmp_path, kind):
    path = tmp_path / "data"
    if kind == "another kind of file":
        path.write_text("label,pixels")
    elif kind == "no slices":
        path.mkdir()
    with pytest.raises(InputError, match=f"data: expected a folder of .mat files .*found {kind}"):
        open_source(path)


def test_a_zip_without_slices_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no slices here")
    with pytest.raises(InputError, match="found no slices"):
        open_source(zipped(tmp_path / "notes.zip", [tmp_path / "notes.txt"]))


def test_a_file_deleted_after_listing_is_named(mats):
    with open_source(mats) as source:
        (mats / "1.mat").unlink()
        with pytest.raises(InputError, match=r"1\.mat: cannot be read \(No such file or directory\)"):
            source.read("1.mat")


def test_file_names_need_not_be_numbers(tmp_path):
    image = np.ones((4, 4))
    for name in ("scan10.mat", "scan9.mat"):
        write_slice(tmp_path / name, image=image, mask=image, label=1, pid="1", border=[1, 1])
    with open_source(tmp_path) as source:
        assert source.names == ["scan9.mat", "scan10.mat"]
