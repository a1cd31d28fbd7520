"""PNG and JPEG images: single files, and a folder per class."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tinydnn.data.phantoms.matlab import write_slice
from tinydnn.data.read import open_source
from tinydnn.data.read.images import decode_image, read_image
from tinydnn.errors import InputError

GREY = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)


def encoded(array, image_format="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(array).save(file, image_format, **options)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Three classes; eleven images in one of them, so that alphabetical and natural order differ."""
    for name, count in {"pituitary": 2, "glioma": 11, "meningioma": 1}.items():
        (tmp_path / name).mkdir()
        for number in range(1, count + 1):
            (tmp_path / name / f"{number}.png").write_bytes(encoded(GREY + number))
    return tmp_path


def test_a_grey_png_is_read_exactly():
    assert np.array_equal(decode_image(encoded(GREY), "1.png"), GREY)


def test_a_jpeg_is_read_approximately():
    image = decode_image(encoded(GREY, "JPEG", quality=95), "1.jpg")
    assert image.shape == GREY.shape
    assert np.abs(image.astype(int) - GREY).max() < 8


def test_a_png_of_16_bits_keeps_its_range():
    deep = np.array([[0, 256], [40000, 65535]], np.uint16)
    image = decode_image(encoded(deep), "1.png")
    assert image.dtype == np.uint16
    assert np.array_equal(image, deep)


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_become_luminance(channels):
    colours = np.zeros((1, 3, channels), np.uint8)
    colours[0, range(3), range(3)] = 255  # red, green, blue
    assert decode_image(encoded(colours), "1.png").tolist() == [[76, 150, 29]]


def test_one_bit_and_palette_images_are_read():
    black_and_white = GREY > 100
    assert np.array_equal(decode_image(encoded(black_and_white), "1.png"), black_and_white * np.uint8(255))
    file = io.BytesIO()
    Image.fromarray(GREY).convert("P").save(file, "PNG")
    assert np.array_equal(decode_image(file.getvalue(), "1.png"), GREY)


def test_cmyk_is_read():
    file = io.BytesIO()
    Image.fromarray(GREY).convert("CMYK").save(file, "JPEG", quality=95)
    assert np.abs(decode_image(file.getvalue(), "1.jpg").astype(int) - GREY).max() < 8


@pytest.mark.parametrize(("orientation", "expected"), [(1, GREY), (3, GREY[::-1, ::-1]), (6, np.rot90(GREY, -1))])
def test_the_exif_orientation_is_applied(orientation, expected):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode_image(encoded(GREY, exif=exif), "1.png"), expected)


def test_read_image_reads_png_and_mat(tmp_path):
    (tmp_path / "1.png").write_bytes(encoded(GREY))
    write_slice(tmp_path / "1.mat", image=GREY * 9.0, mask=GREY, label=1, pid="1", border=[1, 1])
    assert np.array_equal(read_image(tmp_path / "1.png"), GREY)
    assert np.array_equal(read_image(tmp_path / "1.mat"), GREY * np.int16(9))


@pytest.mark.parametrize("name", ["1.png", "1.mat"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(InputError, match=rf"{name}: .*[Nn]o such file"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(50), encoded(GREY, "BMP"), b"<svg/>"])
def test_other_formats_are_refused(data):
    with pytest.raises(InputError, match=r"^1\.png: expected a PNG or JPEG image, found something else$"):
        decode_image(data, "1.png")


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_an_image_truncated_anywhere_raises_an_input_error(image_format):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40)).astype(np.uint8)
    data = encoded(noise, image_format)
    for end in range(0, int(0.9 * len(data)), 23):
        with pytest.raises(InputError) as error:
            decode_image(data[:end], "1")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("side", [9000, 20000, 2**31 - 1])
def test_an_image_that_claims_too_many_pixels_is_not_decoded(side):
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = encoded(GREY)
    data = data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
    with pytest.raises(InputError, match=r"1\.png: expected an image of at most 8192 pixels a side, found more"):
        decode_image(data, "1.png")


def test_sub_folders_are_classes_in_alphabetical_order(folder):
    with open_source(folder) as source:
        assert source.class_names == ("glioma", "meningioma", "pituitary")
        assert source.names[:3] == ["glioma/1.png", "glioma/2.png", "glioma/3.png"]
        assert source.names[10:] == ["glioma/11.png", "meningioma/1.png", "pituitary/1.png", "pituitary/2.png"]
        assert [source.read(name).label for name in source.names[10:]] == [1, 2, 3, 3]


def test_patients_masks_and_folds_of_image_folders_are_unknown(folder):
    with open_source(folder) as source:
        stored = source.read("pituitary/2.png")
        assert (stored.pid, stored.mask, source.has_masks) == ("", None, False)
        assert not source.folds().any()


def test_hidden_files_and_folders_are_ignored(folder):
    (folder / ".thumbnails").mkdir()
    (folder / "glioma" / ".hidden.png").write_bytes(b"")
    with open_source(folder) as source:
        assert len(source.class_names) == 3
        assert len(source.names) == 14


def test_a_class_without_images_is_named(folder):
    (folder / "healthy").mkdir()
    with pytest.raises(InputError, match="healthy: expected the PNG or JPEG images of one class, found none"):
        open_source(folder)


def test_a_single_class_is_refused(tmp_path):
    (tmp_path / "glioma").mkdir()
    (tmp_path / "glioma" / "1.png").write_bytes(encoded(GREY))
    with pytest.raises(InputError, match="a sub-folder of images for each of 2 to 256 classes, found 1"):
        open_source(tmp_path)


def test_more_than_256_classes_are_refused(tmp_path):
    for number in range(257):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "1.png").write_bytes(b"")
    with pytest.raises(InputError, match="a sub-folder of images for each of 2 to 256 classes, found 257"):
        open_source(tmp_path)


def test_an_unprintable_class_name_is_refused(folder):
    (folder / "glioma").rename(folder / "glio\nma")
    with pytest.raises(InputError, match=r"expected printable characters in the name of a class, found 'glio\\nma'"):
        open_source(folder)
