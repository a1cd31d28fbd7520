"""An image file, prepared for a model as its training images were."""

import h5py
import numpy as np
import pytest
from PIL import Image

from tinydnn.checkpoint import SavedModel
from tinydnn.checkpoint.images import prepare_image
from tinydnn.data.crop import WHOLE, Crop
from tinydnn.data.normalise import TORCHVISION, Normalisation
from tinydnn.data.phantoms.matlab import write_slice
from tinydnn.data.prepare.pixels import resize_mask, to_uint8
from tinydnn.errors import InputError
from tinydnn.models import baseline_cnn

IMAGE = np.random.default_rng(0).integers(0, 999, (40, 32)).astype(np.int16)
MASK = np.zeros((40, 32), bool)
MASK[8:20, 6:16] = True


def saved(crop=WHOLE, normalise=None):
    normalise = normalise or Normalisation("standard", 60.0, 50.0)
    model = baseline_cnn(image_size=16, in_channels=normalise.channels)
    return SavedModel(model, normalise, ("a", "b", "c"), crop)


@pytest.fixture
def path(tmp_path):
    write_slice(tmp_path / "a.mat", image=IMAGE, mask=MASK, label=1, pid="MR1", border=[1, 1])
    return tmp_path / "a.mat"


def without(path, field):
    with h5py.File(path, "r+") as file:
        del file[f"cjdata/{field}"]
    return path


def test_pixels_input_and_mask_are_those_of_the_model(path):
    for normalise in (Normalisation("standard", 60.0, 50.0), TORCHVISION):
        image = prepare_image(saved(normalise=normalise), path, with_mask=True)
        np.testing.assert_array_equal(image.pixels, to_uint8(IMAGE, 16))
        np.testing.assert_array_equal(image.x, normalise(image.pixels[None, None]))
        np.testing.assert_array_equal(image.mask, resize_mask(MASK, 16))


def test_image_and_mask_are_cropped_alike(path):
    image = prepare_image(saved(Crop("tumour", 0.0)), path, with_mask=True)
    np.testing.assert_array_equal(image.pixels, to_uint8(IMAGE[8:20, 5:17], 16))
    np.testing.assert_array_equal(image.mask, resize_mask(MASK[8:20, 5:17], 16))


def test_a_mask_is_read_on_request_only(path):
    with h5py.File(path, "r+") as file:
        del file["cjdata/tumorMask"]
        file["cjdata/tumorMask"] = np.zeros((3, 3), np.uint8)
    assert prepare_image(saved(), path).mask is None
    with pytest.raises(InputError, match="tumorMask: expected the image's"):
        prepare_image(saved(), path, with_mask=True)


def test_the_mask_needs_no_other_field(path):
    for field in ("label", "PID", "tumorBorder"):
        assert prepare_image(saved(), without(path, field), with_mask=True).mask is not None
    assert prepare_image(saved(), without(path, "tumorMask"), with_mask=True).mask is None


def test_a_mask_that_vanishes_is_none(path, tmp_path):
    for name, pixels in (("empty.mat", 0), ("tiny.mat", 1)):
        mask = np.zeros((40, 32), bool)
        mask[3, :pixels] = True
        write_slice(tmp_path / name, image=IMAGE, mask=mask, label=1, pid="MR1", border=[1, 1])
        assert prepare_image(saved(), tmp_path / name, with_mask=True).mask is None


def test_a_png_has_no_mask_and_a_crop_that_needs_one_refuses_it(tmp_path):
    Image.fromarray(IMAGE.astype(np.uint8)).save(tmp_path / "a.png")
    assert prepare_image(saved(), tmp_path / "a.png", with_mask=True).mask is None
    with pytest.raises(InputError, match="--crop tumour: expected a mask of the tumour, found none"):
        prepare_image(saved(Crop("tumour")), tmp_path / "a.png")
