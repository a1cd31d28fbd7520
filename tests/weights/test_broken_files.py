"""Broken and malicious weight files are refused in one line; nothing is executed, the model stays unchanged."""

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


class Exploit:
    """`pickle.load` would call the function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def zipped(path, pickled, elements=b"\0" * 16, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/data/0", elements)
    return path


def tensor_pickle(*, kind="torch FloatStorage", count=4, offset=0, shape=(4,), strides=(1,)):
    """The pickle of {"features.0.bias": tensor}, instruction by instruction."""

    def integer(value):
        return b"J" + struct.pack("<i", value)

    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def integers(values):
        return b"(" + b"".join(map(integer, values)) + b"t"

    storage = b"(" + text("storage") + b"c" + kind.replace(" ", "\n").encode() + b"\n" + text("0") + text("cpu")
    storage += integer(count) + b"tQ"
    arguments = b"(" + storage + integer(offset) + integers(shape) + integers(strides) + b"\x89}t"
    return b"\x80\x02}" + text("features.0.bias") + b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"Rs."


def safetensors(**entry):
    header = json.dumps({"features.0.bias": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **entry}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(16)


def hdf5(**arrays):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, array in arrays.items():
            file[name.replace("__", "/")] = array
    return content.getvalue()


def hdf5_with_external_link():
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["block1_conv1/kernel:0"] = h5py.ExternalLink("/etc/hostname", "/x")
    return content.getvalue()


def hdf5_bomb():
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_dataset("block1_conv1/kernel:0", (1 << 14, 1 << 14), np.float32, chunks=(512, 512), compression=9)
    return content.getvalue()


BROKEN = {
    "empty": (b"", "found an empty file"),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(40), "found another kind of file"),
    "a web page": (b"<!DOCTYPE html><html>", "found another kind of file"),
    "a header longer than the file": (
        struct.pack("<Q", 1 << 40) + b"{}",
        "a header of at most 2 bytes, found one of 1099",
    ),
    "a header that is not JSON": (struct.pack("<Q", 4) + b"{abc", "expected a JSON header"),
    "a deeply nested header": (struct.pack("<Q", 200_000) + b'{"a":' * 40_000, "expected a JSON header"),
    "a duplicate name": (struct.pack("<Q", 15) + b'{"a":1,"a":2}  ', "a duplicate name"),
    "offsets beyond the end": (safetensors(data_offsets=[0, 1 << 40]), "expected 16 bytes for features.0.bias"),
    "elements that overlap the header": (
        safetensors(data_offsets=[-16, 0]),
        "expected dtype, shape and offsets of features",
    ),
    "a gap before the elements": (safetensors(data_offsets=[4, 20]), "features.0.bias from byte 0 and within 16"),
    "elements of no array": (safetensors(shape=[2], data_offsets=[0, 8]), "expected 8 bytes of elements, found 16"),
    "a shape of another size": (safetensors(shape=[3]), "expected 12 bytes for features.0.bias"),
    "a shape that overflows": (safetensors(shape=[1 << 62, 1 << 62]), "bytes for features.0.bias"),
    "an unknown dtype": (safetensors(dtype="F8"), "expected dtype, shape and offsets of features.0.bias"),
    "a truncated HDF5 file": (hdf5(block1_conv1__x=np.ones(500))[:1500], "expected an intact HDF5 file"),
    "an HDF5 file with an external link": (hdf5_with_external_link(), "found a link to elsewhere"),
    "an HDF5 file that would fill the memory": (hdf5_bomb(), "expected an array stored in the file"),
    "a truncated zip": (b"PK\x03\x04" + bytes(50), "expected an intact file of tensors"),
    "a truncated pickle": (pickle.dumps({"a": 1}, 2)[:-3], "expected an intact file of tensors"),
    "a pickle of other data": (pickle.dumps({"a": 1}, 2), "found a pickle of another kind"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_one_line(name, model, tmp_path):
    content, words = BROKEN[name]
    path = tmp_path / "w.bin"
    path.write_bytes(content)
    assert_refused(model, path, words)


def assert_refused(model, path, words):
    before = [parameter.value for parameter in model.parameters().values()]
    with pytest.raises(InputError) as error:
        load(model, path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert words in message
    assert "\n" not in message
    assert len(message) < len(str(path)) + 320
    assert all(parameter.value is old for parameter, old in zip(model.parameters().values(), before, strict=True))


EXPLOITS = {
    "a command": lambda mark: Exploit(os.system, f"touch {mark}"),
    "opening a file": lambda mark: Exploit(open, str(mark), "w"),
    "evaluating code": lambda mark: Exploit(eval, f"open({str(mark)!r}, 'w')"),
    "a detour through getattr": lambda mark: Exploit(getattr, Exploit(__import__, "os"), "system"),
    "an import": lambda mark: Exploit(__import__, "antigravity"),
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("container", ["zip", "legacy"])
@pytest.mark.parametrize("name", EXPLOITS)
def test_a_malicious_pickle_is_refused_and_not_executed(name, container, protocol, model, tmp_path):
    mark = tmp_path / "it-was-run"
    exploit = pickle.dumps({"features.0.bias": EXPLOITS[name](mark)}, protocol)
    path = tmp_path / "w.pth"
    if container == "zip":
        zipped(path, exploit)
    else:
        path.write_bytes(b"".join(pickle.dumps(item, 2) for item in (0x1950A86A20F9469CFC6C, 1001, {})) + exploit)
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
def test_instructions_that_create_objects_are_refused(instructions):
    with pytest.raises(RefusedError, match="the instruction"):
        read_pickle(io.BytesIO(instructions))


@pytest.mark.parametrize(
    "instructions",
    [b"\x80\x02R.", b"\x80\x02h\x05.", b"\x80\x02)}b.", b"\x80\x02u.", b"\x80\x02N(t.", b"\x80\x02", b"\x80\x02.",
     b"\x80\x02(]K\x01(e.", b"\x80\x02}]a.", b"\x80\x02NQ."],
)  # fmt: skip
def test_an_invalid_pickle_is_refused(instructions):
    with pytest.raises(ValueError, match=r"pickle|damaged"):
        read_pickle(io.BytesIO(instructions))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shape": (5,)}, "4 elements where 5 are needed"),
        ({"offset": 1 << 30}, "elements where"),
        ({"offset": -4}, "shape"),
        ({"strides": (-1,)}, "with strides (-1,)"),
        ({"strides": (1 << 30,)}, "elements where"),
        ({"shape": (1 << 20, 1 << 20), "strides": (0, 0)}, "over 4 elements"),
        ({"strides": (1, 1)}, "with strides (1, 1)"),
        ({"kind": "torch QInt8Storage"}, "elements of type QInt8Storage"),
        ({"kind": "os system"}, "elements of type os.system"),
    ],
)
def test_a_tensor_beyond_its_storage_is_refused(options, words, model, tmp_path):
    assert_refused(model, zipped(tmp_path / "w.pth", tensor_pickle(**options)), words)


def test_the_same_tensor_within_its_storage_is_read(tmp_path):
    elements = np.arange(4, dtype=np.float32)
    source = read(zipped(tmp_path / "w.pth", tensor_pickle(), elements.tobytes()))
    assert np.array_equal(source.arrays["features.0.bias"], elements)


def test_a_compressed_zip_is_refused(model, tmp_path):
    bomb = zipped(
        tmp_path / "w.pth", tensor_pickle(count=1 << 26, shape=(1 << 26,)), bytes(1 << 28), zipfile.ZIP_DEFLATED
    )
    assert bomb.stat().st_size < 1 << 20
    assert_refused(model, bomb, "found a compressed zip, which PyTorch does not write")


def test_a_zip_of_other_files_is_refused(model, tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("README", "hello")
    assert_refused(model, tmp_path / "w.pth", "a zip without data.pkl")


@pytest.mark.parametrize(("make", "words"), [(lambda p: p, "no such file"), (lambda p: p.mkdir(), "a folder")])
def test_a_path_that_is_no_file_is_refused(make, words, model, tmp_path):
    make(tmp_path / "w.pth")
    assert_refused(model, tmp_path / "w.pth", words)
