"""Augmentation: each change, its dependence on slice and epoch alone, and masks that are warped with their images."""

import numpy as np
import pytest
from scipy import ndimage

from tinydnn.data.augment import Augmentation, Draws, parse_augmentation
from tinydnn.data.augment.augmentation import PRESETS, brightness, contrast, cutout, warp, warp_maps
from tinydnn.data.augment.warp import affine
from tinydnn.errors import InputError

SIDE, COUNT = 48, 6


def draws(indices=range(COUNT), *, seed=0, epoch=0, count=20):
    return Draws(seed, epoch, np.array(indices), count)


@pytest.fixture
def images():
    """Smooth images, dark at the borders, with a bright rectangle off the centre."""
    rng = np.random.default_rng(3)
    x = ndimage.gaussian_filter(rng.random((COUNT, 1, SIDE, SIDE)), (0, 0, 3, 3))
    x = (x - x.min()) / (x.max() - x.min()) * 150
    x *= np.hanning(SIDE)[:, None] * np.hanning(SIDE)
    x[:, :, 16:26, 20:32] = 230
    return x.astype(np.uint8)


@pytest.mark.parametrize("name", ["light", "strong"])
def test_augmentation_depends_on_seed_epoch_and_slice_alone(images, name):
    alone = [PRESETS[name](images[k : k + 1], draws([k]))[0] for k in range(COUNT)]
    together = PRESETS[name](images, draws())[0]
    assert (np.concatenate(alone) == together).all()
    order = np.array([4, 1, 5, 0, 3, 2])
    assert (PRESETS[name](images[order], draws(order))[0] == together[order]).all()
    for other in (draws(seed=1), draws(epoch=1)):
        assert (PRESETS[name](images, other)[0] != together).any(axis=(1, 2, 3)).all()


def test_augmentation_does_not_write_to_its_input(images):
    before = images.copy()
    augmentation = Augmentation(rotate=9, shift=0.1, zoom=0.1, flip=True, brightness=0.1, contrast=0.3, cutout=0.4)
    changed, _ = augmentation(images, draws())
    assert (images == before).all()
    assert (changed.dtype, changed.shape) == (np.uint8, images.shape)


def test_the_preset_none_returns_its_input(images):
    assert not PRESETS["none"]
    assert PRESETS["none"](images, draws())[0] is images


def test_the_identity_map_changes_nothing(images):
    identity = np.tile(np.eye(2, 3), (COUNT, 1, 1))
    assert (affine(images, identity) == images).all()


def test_affine_agrees_with_scipy(images):
    maps = warp_maps(draws(), rotate=30, shift=0.1, zoom=0.3, flip=True, side=SIDE)
    centre = np.array([SIDE - 1, SIDE - 1]) / 2
    for x, z, affine_map in zip(images, affine(images, maps), maps, strict=True):
        a, t = affine_map[:, :2], affine_map[:, 2]
        expected = ndimage.affine_transform(x[0].astype(float), a, centre - a @ centre + t, order=1)
        assert abs(expected - z[0]).max() <= 1


def test_a_shift_moves_the_image_against_its_map_and_pads_with_black():
    x = np.full((1, 1, 8, 8), 200, np.uint8)
    x[0, 0, 2, 3] = 90
    moved = affine(x, np.array([[[1, 0, 1], [0, 1, -2]]], float))
    assert moved[0, 0, 1, 5] == 90
    assert (moved[0, 0, 7] == 0).all()
    assert (moved[0, 0, :, :2] == 0).all()


def test_a_flip_alone_mirrors_about_half_of_the_images():
    x = np.random.default_rng(0).integers(0, 255, (40, 1, 9, 8)).astype(np.uint8)
    moved, _ = warp(x, draws(range(40), count=40), flip=True)
    mirrored = (moved == x[..., ::-1]).all(axis=(1, 2, 3))
    assert ((moved == x).all(axis=(1, 2, 3)) | mirrored).all()
    assert 10 < mirrored.sum() < 30


def test_drawn_amounts_stay_within_their_limits():
    maps = warp_maps(draws(range(500), count=500), rotate=20, shift=0.1, zoom=0.25, flip=True, side=100)
    assert abs(maps[:, :, 2]).max() <= 10
    sizes = 1 / np.sqrt(abs(np.linalg.det(maps[:, :, :2])))
    assert 0.8 - 1e-9 <= sizes.min() < 0.82
    assert 1.23 < sizes.max() <= 1.25 + 1e-9
    angles = np.rad2deg(np.arctan2(maps[:, 1, 0], maps[:, 0, 0]))
    assert 19 < abs(angles).max() <= 20


def test_masks_are_warped_with_their_images(images):
    masks = images[:, 0] > 180
    moved, moved_masks = warp(images, draws(), rotate=20, shift=0.1, zoom=0.2, flip=True, masks=masks)
    assert moved_masks.dtype == bool
    for image, mask, before in zip(moved, moved_masks, masks, strict=True):
        bright = image[0] > 180
        assert (bright == mask).mean() > 0.97
        assert 0.5 * before.sum() < mask.sum() < 2 * before.sum()


def test_brightness_and_contrast_are_affine_in_grey_levels_and_clipped():
    x = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    factor = 1.5 ** draws([3]).uniform(-1, 1)[0]
    assert (brightness(x, draws([3]), 0.5) == np.clip(np.rint(factor * x), 0, 255)).all()
    expected = np.clip(np.rint(127.5 + factor * (x - 127.5)), 0, 255)
    assert (contrast(x, draws([3]), 0.5) == expected).all()


def test_cutout_blackens_a_square_of_at_most_its_share():
    x = np.full((50, 1, 20, 20), 9, np.uint8)
    black = cutout(x, draws(range(50), count=50), 0.5)[:, 0] == 0
    assert black.any(axis=(1, 2)).all()
    for square in black:
        rows, columns = np.flatnonzero(square.any(axis=1)), np.flatnonzero(square.any(axis=0))
        assert square[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert max(len(rows), len(columns)) <= 10


def test_a_preset_changes_or_both_are_parsed():
    assert parse_augmentation("none") == Augmentation()
    assert parse_augmentation("strong") == PRESETS["strong"]
    assert parse_augmentation("rotate=15,flip") == Augmentation(rotate=15, flip=True)
    assert parse_augmentation("light,flip=0,cutout=0.5").amounts() == {
        "rotate": 10, "shift": 0.05, "zoom": 0.1, "brightness": 0.1, "contrast": 0.1, "cutout": 0.5
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("heavy", "--augment: expected none, light, strong, or one of rotate, .* found 'heavy'"),
        ("rotate=far", "--augment: rotate: expected a number, found 'far'"),
        ("rotate", "--augment: rotate: expected a number, found ''"),
        ("rotate=181", "--rotate: expected a number from 0 to 180, found 181"),
        ("shift=-1", "--shift: expected a number from 0 to 1, found -1"),
        ("zoom=nan", "--zoom: expected a number from 0 to 3, found nan"),
        ("light,", "found ''"),
    ],
)
def test_parse_errors_name_what_was_expected(text, words):
    with pytest.raises(InputError, match=words):
        parse_augmentation(text)


def test_affine_requires_uint8_and_a_map_for_each_image(images):
    with pytest.raises(ValueError, match=r"expected uint8 \(N, C, H, W\), found float32"):
        affine(images.astype(np.float32), np.zeros((COUNT, 2, 3)))
    with pytest.raises(ValueError, match=r"maps: expected shape \(6, 2, 3\), found \(5, 2, 3\)"):
        affine(images, np.zeros((5, 2, 3)))
