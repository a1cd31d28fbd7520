"""Files written in the published layout, as h5py and MATLAB read them."""

import h5py
import numpy as np
import pytest

from tinydnn.data.phantoms.matlab import write_folds, write_slice

IMAGE = np.arange(12, dtype=np.int16).reshape(3, 4)
MASK = IMAGE > 7
BORDER = [1.0, 2.0, 3.5, 4.0, 2.0, 1.0]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "1.mat"
    write_slice(path, image=IMAGE, mask=MASK, label=2, pid="MR024780B", border=BORDER)
    return path


def test_the_file_begins_with_the_header_of_matlab_7_3(path):
    header = path.read_bytes()[:512]
    assert header.startswith(b"MATLAB 7.3 MAT-file")
    assert header[124:128] == b"\x00\x02IM"
    assert path.read_bytes()[512:516] == b"\x89HDF"


def test_arrays_are_transposed_and_text_is_character_codes(path):
    with h5py.File(path) as file:
        struct = file["cjdata"]
        assert np.array_equal(struct["image"], IMAGE.T)
        assert struct["image"].dtype == np.int16
        assert np.array_equal(struct["tumorMask"], MASK.T)
        assert struct["tumorMask"].dtype == np.uint8
        assert struct["label"][()].tolist() == [[2.0]]
        assert struct["PID"].shape == (9, 1)
        assert "".join(map(chr, struct["PID"][:, 0])) == "MR024780B"
        assert struct["tumorBorder"][()].ravel().tolist() == BORDER


def test_every_variable_has_its_matlab_class(path):
    with h5py.File(path) as file:
        classes = {name: file["cjdata"][name].attrs["MATLAB_CLASS"].decode() for name in file["cjdata"]}
    assert classes == {
        "PID": "char",
        "image": "int16",
        "label": "double",
        "tumorBorder": "double",
        "tumorMask": "logical",
    }


def test_the_same_slice_gives_the_same_bytes(path, tmp_path):
    again = tmp_path / "again.mat"
    write_slice(again, image=IMAGE, mask=MASK, label=2, pid="MR024780B", border=BORDER)
    assert again.read_bytes() == path.read_bytes()


def test_folds_are_one_column(tmp_path):
    write_folds(tmp_path / "cvind.mat", [5, 1, 3])
    with h5py.File(tmp_path / "cvind.mat") as file:
        assert file["cvind"][()].tolist() == [[5.0], [1.0], [3.0]]


def test_image_and_mask_must_have_the_same_shape(tmp_path):
    with pytest.raises(ValueError, match=r"\(3, 4\) and \(4, 3\)"):
        write_slice(tmp_path / "1.mat", image=IMAGE, mask=MASK.T, label=1, pid="1", border=BORDER)
    assert list(tmp_path.iterdir()) == []
