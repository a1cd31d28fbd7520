"""Crops of images and masks, and prepared files with a crop."""

import numpy as np
import pytest

from tinydnn.data.crop import WHOLE, Crop
from tinydnn.data.dataset import Dataset
from tinydnn.data.prepare.cache import prepared
from tinydnn.errors import InputError

HEIGHT, WIDTH = 60, 80


@pytest.fixture
def stored():
    """An image and a mask: air, a head whose values give the column, and a tumour of 10 x 6 pixels."""
    image = np.full((HEIGHT, WIDTH), -20, np.int16)
    image[8:50, 12:70] = 300 + np.arange(58)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20:30, 40:46] = True
    return image, mask


def test_without_a_crop_a_slice_is_unchanged(stored):
    image, mask = WHOLE(*stored, "slice")
    assert image is stored[0]
    assert mask is stored[1]


def test_the_head_crop_removes_air_and_needs_no_mask(stored):
    image, mask = Crop("head")(*stored, "slice")
    assert (image == stored[0][8:50, 12:70]).all()
    assert (mask == stored[1][8:50, 12:70]).all()
    assert Crop("head")(stored[0], None, "slice")[1] is None
    speck = stored[0].copy()
    speck[2, 3] = 400  # noise in the air
    assert Crop("head")(speck, None, "slice")[0].shape == (42, 58)
    flat = np.zeros((5, 6), np.int16)
    assert Crop("head")(flat, None, "slice")[0].shape == (5, 6)


def test_the_tumour_crop_is_a_centred_square_with_a_margin(stored):
    image, mask = Crop("tumour", 0.2)(*stored, "slice")
    assert image.shape == mask.shape == (14, 14)
    assert (image == stored[0][18:32, 36:50]).all()
    assert mask.sum() == 60
    assert Crop("tumour", 0)(*stored, "slice")[0].shape == (10, 10)


def test_at_the_border_the_square_is_shifted_into_the_slice(stored):
    image = stored[0]
    mask = np.zeros_like(stored[1])
    mask[:4, 70:80] = True
    cropped, moved = Crop("tumour", 0.5)(image, mask, "slice")
    assert cropped.shape == (20, 20)
    assert (cropped == image[:20, 60:80]).all()
    assert moved.sum() == 40
    assert Crop("tumour", 5)(image, mask, "slice")[0].shape == image.shape


def test_the_ring_crop_blackens_pixels_beyond_the_margin(stored):
    image, mask = Crop("ring", 0.2)(*stored, "slice")
    assert image.shape == (14, 14)
    shown = image != stored[0].min()
    distance = np.array([[np.hypot(*(np.argwhere(mask) - (i, j)).T).min() for j in range(14)] for i in range(14)])
    assert (shown == (distance <= 2)).all()
    assert (image[shown] == stored[0][18:32, 36:50][shown]).all()


@pytest.mark.parametrize("mask", [None, np.zeros((HEIGHT, WIDTH), bool)])
@pytest.mark.parametrize("kind", ["tumour", "ring"])
def test_crops_to_the_tumour_need_a_mask(stored, kind, mask):
    with pytest.raises(InputError, match=f"7.mat: --crop {kind}: expected a mask of the tumour, found "):
        Crop(kind)(stored[0], mask, "7.mat")


def test_a_crop_is_parsed_from_its_text():
    for crop in (WHOLE, Crop("head"), Crop("tumour", 0.25), Crop("ring", 1.0)):
        assert Crop.parse(str(crop)) == crop
    assert [str(crop) for crop in (WHOLE, Crop("head"), Crop("ring", 0.5))] == ["none", "head", "ring-0.5"]
    assert [crop.uses_mask for crop in (WHOLE, Crop("head"), Crop("ring"), Crop("tumour"))] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(("kind", "margin"), [("brain", 0.2), ("tumour", -0.1), ("tumour", float("nan")), ("ring", 6)])
def test_other_kinds_and_margins_are_refused(kind, margin):
    with pytest.raises(InputError, match=r"--crop: expected one of none, head|--margin: expected a number from 0 to 5"):
        Crop(kind, margin)


def test_each_crop_has_its_own_prepared_file(slices):
    whole, cropped = prepared(slices, size=16), prepared(slices, size=16, crop=Crop("tumour", 0.5))
    assert whole != cropped
    assert Dataset.open(whole).crop == WHOLE
    dataset = Dataset.open(cropped)
    assert dataset.crop == Crop("tumour", 0.5)
    shares = [Dataset.open(path).masks[0].mean() for path in (whole, cropped)]
    assert shares[1] > 2 * shares[0]
    with pytest.raises(InputError, match=r"expected slices of crop none, found tumour-0\.5"):
        prepared(cropped, size=16)
    assert prepared(cropped, size=16, crop=Crop("tumour", 0.5)) == cropped
