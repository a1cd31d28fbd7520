"""One `.mat` file: the peculiarities of the published layout, and one-line messages for every fault."""

import io

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinydnn.data.phantoms.matlab import write_folds, write_slice
from tinydnn.data.read.figshare import family, read_folds, read_mat_image, read_slice
from tinydnn.errors import InputError

IMAGE = np.arange(-6, 6, dtype=np.int16).reshape(3, 4)
MASK = IMAGE > 2
BORDER = np.array([1.0, 2.0, 3.5, 4.0])


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "12.mat"
    write_slice(path, image=IMAGE, mask=MASK, label=2, pid="MR024780B", border=BORDER)
    return path


def replace(path, field, value):
    """Replace cjdata.`field` by `value`; None removes it."""
    with h5py.File(path, "r+") as file:
        del file["cjdata"][field]
        if value is not None:
            file["cjdata"][field] = value


def test_all_fields_of_a_slice_are_read_with_rows_first(path):
    result = read_slice(path, "12.mat")
    assert np.array_equal(result.image, IMAGE)
    assert result.image.dtype == np.int16
    assert np.array_equal(result.mask, MASK)
    assert result.mask.dtype == bool
    assert (result.label, result.pid) == (2, "MR024780B")
    assert np.array_equal(result.border, BORDER)
    assert result.border.dtype == np.float64


def test_a_file_in_memory_is_read_like_one_on_disk(path):
    assert np.array_equal(read_slice(io.BytesIO(path.read_bytes()), "12.mat").image, IMAGE)


@pytest.mark.parametrize("shape", [(1, -1), (-1, 1)])
@pytest.mark.parametrize("field", ["PID", "tumorBorder"])
def test_a_vector_may_be_a_row_or_a_column(path, field, shape):
    with h5py.File(path) as file:
        vector = file["cjdata"][field][()].reshape(shape)
    replace(path, field, vector)
    result = read_slice(path, "12.mat")
    assert result.pid == "MR024780B"
    assert np.array_equal(result.border, BORDER)


def test_read_mat_image_needs_no_other_field(path):
    for field in ("label", "PID", "tumorMask", "tumorBorder"):
        replace(path, field, None)
    assert np.array_equal(read_mat_image(path, "12.mat"), IMAGE)


def test_folds_are_read_in_order_of_file_number(tmp_path):
    write_folds(tmp_path / "cvind.mat", [5, 1, 3])
    assert read_folds(tmp_path / "cvind.mat", "cvind.mat").tolist() == [5, 1, 3]


def test_folds_that_are_not_whole_numbers_are_refused(tmp_path):
    write_folds(tmp_path / "cvind.mat", [5, 1.5])
    with pytest.raises(InputError, match=r"cvind\.mat: cvind: expected whole fold numbers"):
        read_folds(tmp_path / "cvind.mat", "cvind.mat")


FAULTS = {
    "label 7": ("label", [[7.0]], "label: expected 1, 2 or 3, found 7"),
    "label 1.5": ("label", [[1.5]], "label: expected 1, 2 or 3, found 1.5"),
    "label NaN": ("label", [[np.nan]], "label: expected 1, 2 or 3, found nan"),
    "two labels": ("label", [[1.0, 2.0]], "label: expected 1, 2 or 3, found 1, 2"),
    "no label": ("label", None, "cjdata.label is missing"),
    "no image": ("image", None, "cjdata.image is missing"),
    "no mask": ("tumorMask", None, "cjdata.tumorMask is missing"),
    "no border": ("tumorBorder", None, "cjdata.tumorBorder is missing"),
    "no patient": ("PID", None, "cjdata.PID is missing"),
    "image of rank 3": ("image", np.ones((3, 4, 2), "i2"), "image: expected a matrix"),
    "image of rank 1": ("image", np.ones(4, "i2"), "image: expected a matrix"),
    "image of text": ("image", "head", "image: expected an array of numbers"),
    "empty image": ("image", np.ones((0, 4), "i2"), "cjdata.image is empty"),
    "NaN": ("image", np.array([[1.0, np.nan]] * 2), "image: expected finite values"),
    "infinity": ("image", np.array([[1.0, np.inf]] * 2), "image: expected finite values"),
    "beyond float32": ("image", np.array([[1.0, 1e300]] * 2), "image: expected finite values"),
    "mask of another shape": ("tumorMask", np.ones((3, 4), "u1"), r"expected the image's \(3, 4\) pixels"),
    "image of one long row": ("image", np.ones((8193, 1), "i2"), "image: expected at most 8192 pixels a side"),
    "unprintable patient": (
        "PID",
        np.array([[7, 8]], "u2"),
        "PID: .* printable characters, found 2 with the codes 7, 8",
    ),
    "long patient": ("PID", np.full((1, 65), 65, "u2"), "PID: expected 1 to 64 printable characters, found 65"),
    "blank patient": ("PID", np.array([[32]], "u2"), "PID: expected 1 to 64 printable characters"),
    "huge patient": (
        "PID",
        np.array([[2**40]], "u8"),
        "PID: expected 1 to 64 printable characters",
    ),
    "infinite patient": ("PID", np.array([[np.inf]]), "PID: expected 1 to 64 printable characters, .* inf"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_field_is_reported_in_one_line(path, fault):
    field, value, message = FAULTS[fault]
    replace(path, field, value)
    with pytest.raises(InputError, match=f"^folder/12.mat: .*{message}") as error:
        read_slice(path, "folder/12.mat")
    assert "\n" not in str(error.value)


def test_an_array_marked_as_empty_by_matlab_is_empty(path):
    replace(path, "image", np.array([0, 0], "u8"))
    with h5py.File(path, "r+") as file:
        file["cjdata"]["image"].attrs["MATLAB_empty"] = np.uint8(1)
    with pytest.raises(InputError, match="image is empty"):
        read_slice(path, "12.mat")


def test_an_image_that_claims_terabytes_is_not_read(path):
    with h5py.File(path, "r+") as file:
        del file["cjdata"]["image"]
        file["cjdata"].create_dataset("image", shape=(10**6, 10**6), dtype="i2", chunks=(256, 256))
    with pytest.raises(InputError, match="expected at most 67108864 values, found 1000000000000"):
        read_slice(path, "12.mat")


def test_a_chunk_that_claims_gigabytes_is_not_read(path):
    with h5py.File(path, "r+") as file:
        del file["cjdata"]["image"]
        options = {"chunks": (20000, 20000), "maxshape": (None, None), "compression": "gzip"}
        file["cjdata"].create_dataset("image", (4, 3), "i2", **options)
    with pytest.raises(InputError, match="image: expected at most 67108864 values, found 400000000"):
        read_slice(path, "12.mat")


def external_link(group, field, other):
    group[field] = h5py.ExternalLink(other, f"/cjdata/{field}")


def external_storage(group, field, other):
    group.create_dataset(field, (4, 3), "i2", external=[(str(other), 0, 24)])


def virtual_dataset(group, field, other):
    layout = h5py.VirtualLayout((4, 3), "i2")
    layout[:] = h5py.VirtualSource(other, f"cjdata/{field}", (4, 3))
    group.create_virtual_dataset(field, layout)


@pytest.mark.parametrize("point", [external_link, external_storage, virtual_dataset])
def test_data_in_other_files_are_not_read(path, tmp_path, point):
    other = tmp_path / "other.mat"
    other.write_bytes(path.read_bytes())
    with h5py.File(path, "r+") as file:
        del file["cjdata"]["image"]
        point(file["cjdata"], "image", other)
    for source in (path, io.BytesIO(path.read_bytes())):
        with pytest.raises(InputError, match=r"12\.mat: cjdata\.image: expected data in the file itself, found a link"):
            read_slice(source, "12.mat")


def test_a_file_without_the_struct_is_refused(tmp_path):
    write_folds(tmp_path / "cvind.mat", [1, 2])
    with pytest.raises(InputError, match=r"^cvind.mat: expected a struct cjdata, found cvind$"):
        read_slice(tmp_path / "cvind.mat", "cvind.mat")


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file, Platform: PCWIN" + bytes(500), b"\x89HDF\r\n\x1a\n"])
def test_a_file_that_is_not_hdf5_is_named(tmp_path, content):
    (tmp_path / "1.mat").write_bytes(content)
    with pytest.raises(InputError, match=r"^1\.mat: expected a MATLAB v7\.3 \(HDF5\) file") as error:
        read_slice(tmp_path / "1.mat", "1.mat")
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"^1\.mat: expected a \.mat file, found no such file$"):
        read_slice(tmp_path / "1.mat", "1.mat")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a file with an image large enough to be compressed, as in the published files."""
    path = tmp_path_factory.mktemp("whole") / "1.mat"
    image = np.random.default_rng(0).integers(0, 2000, (96, 96))
    write_slice(path, image=image, mask=image > 1900, label=1, pid="1", border=BORDER)
    return path.read_bytes()


@given(share=st.floats(0, 0.999))
def test_a_file_truncated_anywhere_raises_an_input_error(whole, share):
    with pytest.raises(InputError) as error:
        read_slice(io.BytesIO(whole[: int(share * len(whole))]), "1.mat")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("pid", "expected"),
    [("MR024780B", "MR024780"), ("MR024780", "MR024780"), ("100360", "100360"), ("MRxB", "MRxB"), ("", "")],
)
def test_a_family_is_the_pid_without_a_trailing_letter(pid, expected):
    assert family(pid) == expected
