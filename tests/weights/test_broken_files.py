"""Files that are broken or mean harm: one line that names the file, and nothing is run, loaded or left behind."""

import io
import json
import os
import pickle
import struct
import zipfile

import h5py
import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.weights import load, read
from tinydnn.weights.pickles import RefusedError, read_pickle


class Harm:
    """Python's own reader of pickles would call what this names."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def zipped(path, pickled, numbers=b"\0" * 16, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/data/0", numbers)
    return path


def tensor_pickle(*, kind="torch FloatStorage", count=4, offset=0, shape=(4,), strides=(1,)):
    """The pickle of {"features.0.bias": a tensor}, spelled out instruction by instruction."""

    def number(value):
        return b"J" + struct.pack("<i", value)

    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def numbers(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    storage = b"(" + text("storage") + b"c" + kind.replace(" ", "\n").encode() + b"\n" + text("0") + text("cpu")
    storage += number(count) + b"tQ"
    arguments = b"(" + storage + number(offset) + numbers(shape) + numbers(strides) + b"\x89}t"
    return b"\x80\x02}" + text("features.0.bias") + b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"Rs."


def table(**entry):
    header = json.dumps({"features.0.bias": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **entry}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(16)


def hdf5(**arrays):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, array in arrays.items():
            file[name.replace("__", "/")] = array
    return content.getvalue()


def external():
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["block1_conv1/kernel:0"] = h5py.ExternalLink("/etc/hostname", "/x")
    return content.getvalue()


def compressed_bomb():
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_dataset("block1_conv1/kernel:0", (1 << 14, 1 << 14), np.float32, chunks=(512, 512), compression=9)
    return content.getvalue()


RAW = {
    "nothing": (b"", "found an empty file"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(40), "found another kind of file"),
    "a page of a web server": (b"<!DOCTYPE html><html>", "found another kind of file"),
    "a table longer than the file": (
        struct.pack("<Q", 1 << 40) + b"{}",
        "a table of at most 2 bytes, found one of 1099",
    ),
    "a table that is no JSON": (struct.pack("<Q", 4) + b"{abc", "expected a table as JSON"),
    "a table that nests without end": (struct.pack("<Q", 200_000) + b'{"a":' * 40_000, "expected a table as JSON"),
    "a name twice": (struct.pack("<Q", 15) + b'{"a":1,"a":2}  ', "a name twice"),
    "offsets behind the end": (table(data_offsets=[0, 1 << 40]), "expected 16 bytes for features.0.bias"),
    "numbers that overlap the table": (table(data_offsets=[-16, 0]), "expected type, shape and offsets of features"),
    "a gap before the numbers": (table(data_offsets=[4, 20]), "features.0.bias from byte 0 and within 16"),
    "numbers that nobody has": (table(shape=[2], data_offsets=[0, 8]), "expected 8 bytes of numbers, found 16"),
    "a shape of other numbers": (table(shape=[3]), "expected 12 bytes for features.0.bias"),
    "a shape that overflows": (table(shape=[1 << 62, 1 << 62]), "bytes for features.0.bias"),
    "an unknown type": (table(dtype="F8"), "expected type, shape and offsets of features.0.bias"),
    "an HDF5 file cut short": (hdf5(block1_conv1__x=np.ones(500))[:1500], "expected a whole HDF5 file"),
    "an HDF5 file that leads elsewhere": (external(), "found a link to elsewhere"),
    "an HDF5 file that would fill the memory": (compressed_bomb(), "expected an array that lies in the file"),
    "a zip cut short": (b"PK\x03\x04" + bytes(50), "expected a whole file of tensors"),
    "a pickle cut short": (pickle.dumps({"a": 1}, 2)[:-3], "expected a whole file of tensors"),
    "a pickle of something else": (pickle.dumps({"a": 1}, 2), "found a pickle of another kind"),
}


@pytest.mark.parametrize("name", RAW)
def test_a_broken_file_is_refused_in_one_line(name, model, tmp_path):
    content, words = RAW[name]
    path = tmp_path / "w.bin"
    path.write_bytes(content)
    assert_refused(model, path, words)


def assert_refused(model, path, words):
    before = [one.value for one in model.parameters().values()]
    with pytest.raises(InputError) as refused:
        load(model, path)
    said = str(refused.value)
    assert said.startswith(f"{path}: ")
    assert words in said
    assert "\n" not in said
    assert len(said) < len(str(path)) + 320
    assert all(now.value is then for now, then in zip(model.parameters().values(), before, strict=True))


HARM = {
    "a command": lambda mark: Harm(os.system, f"touch {mark}"),
    "a file that is opened": lambda mark: Harm(open, str(mark), "w"),
    "code that is evaluated": lambda mark: Harm(eval, f"open({str(mark)!r}, 'w')"),
    "a way round through getattr": lambda mark: Harm(getattr, Harm(__import__, "os"), "system"),
    "an import": lambda mark: Harm(__import__, "antigravity"),
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("packing", ["zip", "chain"])
@pytest.mark.parametrize("name", HARM)
def test_a_pickle_that_means_harm_is_refused_and_nothing_is_run(name, packing, protocol, model, tmp_path):
    mark = tmp_path / "it-was-run"
    harm = pickle.dumps({"features.0.bias": HARM[name](mark)}, protocol)
    path = tmp_path / "w.pth"
    if packing == "zip":
        zipped(path, harm)
    else:
        path.write_bytes(b"".join(pickle.dumps(one, 2) for one in (0x1950A86A20F9469CFC6C, 1001, {})) + harm)
    assert_refused(model, path, "expected a file of tensors alone, found a call of ")
    assert not mark.exists()


@pytest.mark.parametrize(
    "instructions",
    [
        b"\x80\x02cos\nsystem\n(X\x01\x00\x00\x00lo.",  # OBJ
        b"(X\x02\x00\x00\x00lsios\nsystem\n.",  # INST
        b"\x80\x02cbuiltins\nobject\n)\x81.",  # NEWOBJ
        b"\x80\x02\x82\x01.",  # EXT1
        b"\x80\x04\x8f.",  # EMPTY_SET
    ],
)
def test_instructions_that_make_objects_are_not_known(instructions):
    with pytest.raises(RefusedError, match="the instruction"):
        read_pickle(io.BytesIO(instructions))


@pytest.mark.parametrize(
    "instructions",
    [b"\x80\x02R.", b"\x80\x02h\x05.", b"\x80\x02)}b.", b"\x80\x02u.", b"\x80\x02N(t.", b"\x80\x02", b"\x80\x02.",
     b"\x80\x02(]K\x01(e.", b"\x80\x02}]a.", b"\x80\x02NQ."],
)  # fmt: skip
def test_a_pickle_that_makes_no_sense_is_refused(instructions):
    with pytest.raises(ValueError, match=r"pickle|damaged"):
        read_pickle(io.BytesIO(instructions))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shape": (5,)}, "4 numbers where 5 are needed"),
        ({"offset": 1 << 30}, "numbers where"),
        ({"offset": -4}, "shape"),
        ({"strides": (-1,)}, "with strides (-1,)"),
        ({"strides": (1 << 30,)}, "numbers where"),
        ({"shape": (1 << 20, 1 << 20), "strides": (0, 0)}, "over 4 numbers"),
        ({"strides": (1, 1)}, "with strides (1, 1)"),
        ({"kind": "torch QInt8Storage"}, "numbers of the kind QInt8Storage"),
        ({"kind": "os system"}, "numbers of the kind os.system"),
    ],
)
def test_a_tensor_that_reaches_out_of_its_storage_is_refused(options, words, model, tmp_path):
    assert_refused(model, zipped(tmp_path / "w.pth", tensor_pickle(**options)), words)


def test_the_tensor_that_these_are_made_from_is_read(tmp_path):
    numbers = np.arange(4, dtype=np.float32)
    found = read(zipped(tmp_path / "w.pth", tensor_pickle(), numbers.tobytes()))
    assert np.array_equal(found.arrays["features.0.bias"], numbers)


def test_a_zip_that_is_packed_small_is_refused(model, tmp_path):
    bomb = zipped(
        tmp_path / "w.pth", tensor_pickle(count=1 << 26, shape=(1 << 26,)), bytes(1 << 28), zipfile.ZIP_DEFLATED
    )
    assert bomb.stat().st_size < 1 << 20
    assert_refused(model, bomb, "found a compressed zip, which PyTorch does not write")


def test_a_zip_of_something_else_is_refused(model, tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("README", "hello")
    assert_refused(model, tmp_path / "w.pth", "a zip without data.pkl")


@pytest.mark.parametrize(("make", "words"), [(lambda p: p, "no such file"), (lambda p: p.mkdir(), "a folder")])
def test_what_is_no_file_is_refused(make, words, model, tmp_path):
    make(tmp_path / "w.pth")
    assert_refused(model, tmp_path / "w.pth", words)
