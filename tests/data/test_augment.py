"""Augmentation: what each change does, that it belongs to the slice and the epoch, and that masks move along."""

import numpy as np
import pytest
from scipy import ndimage

from tinydnn.data.augment.augmentation import (
    PRESETS,
    Augmentation,
    brightness,
    contrast,
    cutout,
    parse,
    saturation,
    warp,
    warp_maps,
)
from tinydnn.data.augment.draws import Draws
from tinydnn.data.augment.warp import affine
from tinydnn.errors import InputError

SIDE, COUNT = 48, 6


def draws(indices=range(COUNT), *, seed=0, epoch=0, count=20):
    return Draws(seed, epoch, np.array(indices), count)


@pytest.fixture
def pictures():
    """Smooth pictures, dark at the borders, with a spot off the middle."""
    rng = np.random.default_rng(3)
    x = ndimage.gaussian_filter(rng.random((COUNT, 1, SIDE, SIDE)), (0, 0, 3, 3))
    x = (x - x.min()) / (x.max() - x.min()) * 150
    x *= np.hanning(SIDE)[:, None] * np.hanning(SIDE)
    x[:, :, 16:26, 20:32] = 230
    return x.astype(np.uint8)


@pytest.mark.parametrize("name", ["light", "strong"])
def test_what_a_slice_gets_depends_on_seed_epoch_and_slice_alone(pictures, name):
    alone = [PRESETS[name](pictures[k : k + 1], draws([k]))[0] for k in range(COUNT)]
    together = PRESETS[name](pictures, draws())[0]
    assert (np.concatenate(alone) == together).all()
    order = np.array([4, 1, 5, 0, 3, 2])
    assert (PRESETS[name](pictures[order], draws(order))[0] == together[order]).all()
    for other in (draws(seed=1), draws(epoch=1)):
        assert (PRESETS[name](pictures, other)[0] != together).any(axis=(1, 2, 3)).all()


def test_the_batch_that_is_given_is_not_written_to(pictures):
    before = pictures.copy()
    everything = Augmentation(rotate=9, shift=0.1, zoom=0.1, flip=True, brightness=0.1, contrast=0.3, cutout=0.4)
    changed, _ = everything(pictures, draws())
    assert (pictures == before).all()
    assert (changed.dtype, changed.shape) == (np.uint8, pictures.shape)


def test_none_changes_nothing_and_draws_nothing(pictures):
    assert not PRESETS["none"]
    assert PRESETS["none"](pictures, draws())[0] is pictures


def test_maps_that_stand_still_give_the_picture_back(pictures):
    still = np.tile(np.eye(2, 3), (COUNT, 1, 1))
    assert (affine(pictures, still) == pictures).all()


def test_the_warp_is_the_one_of_scipy(pictures):
    maps = warp_maps(draws(), rotate=30, shift=0.1, zoom=0.3, flip=True, side=SIDE)
    middle = np.array([SIDE - 1, SIDE - 1]) / 2
    for picture, moved, one in zip(pictures, affine(pictures, maps), maps, strict=True):
        turn, shift = one[:, :2], one[:, 2]
        expected = ndimage.affine_transform(picture[0].astype(float), turn, middle - turn @ middle + shift, order=1)
        assert abs(expected - moved[0]).max() <= 1


def test_a_shift_moves_the_picture_against_its_map_and_leaves_black_behind():
    x = np.full((1, 1, 8, 8), 200, np.uint8)
    x[0, 0, 2, 3] = 90
    moved = affine(x, np.array([[[1, 0, 1], [0, 1, -2]]], float))
    assert moved[0, 0, 1, 5] == 90
    assert (moved[0, 0, 7] == 0).all()
    assert (moved[0, 0, :, :2] == 0).all()


def test_a_flip_alone_mirrors_some_pictures_and_leaves_the_others():
    x = np.random.default_rng(0).integers(0, 255, (40, 1, 9, 8)).astype(np.uint8)
    moved, _ = warp(x, draws(range(40), count=40), flip=True)
    mirrored = (moved == x[..., ::-1]).all(axis=(1, 2, 3))
    assert ((moved == x).all(axis=(1, 2, 3)) | mirrored).all()
    assert 10 < mirrored.sum() < 30


def test_amounts_stay_within_what_was_asked_for():
    maps = warp_maps(draws(range(500), count=500), rotate=20, shift=0.1, zoom=0.25, flip=True, side=100)
    assert abs(maps[:, :, 2]).max() <= 10
    sizes = 1 / np.sqrt(abs(np.linalg.det(maps[:, :, :2])))
    assert 0.8 - 1e-9 <= sizes.min() < 0.82
    assert 1.23 < sizes.max() <= 1.25 + 1e-9
    angles = np.rad2deg(np.arctan2(maps[:, 1, 0], maps[:, 0, 0]))
    assert 19 < abs(angles).max() <= 20


def test_masks_move_with_their_pictures(pictures):
    masks = pictures[:, 0] > 180
    moved, moved_masks = warp(pictures, draws(), rotate=20, shift=0.1, zoom=0.2, flip=True, masks=masks)
    assert moved_masks.dtype == bool
    for picture, mask, before in zip(moved, moved_masks, masks, strict=True):
        bright = picture[0] > 180
        assert (bright == mask).mean() > 0.97
        assert 0.5 * before.sum() < mask.sum() < 2 * before.sum()


def test_brightness_and_contrast_are_affine_in_the_grey_levels_and_end_at_black_and_white():
    x = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    factor = 1.5 ** draws([3]).uniform(-1, 1)[0]
    assert (brightness(x, draws([3]), 0.5) == np.clip(np.rint(factor * x), 0, 255)).all()
    expected = np.clip(np.rint(127.5 + factor * (x - 127.5)), 0, 255)
    assert (contrast(x, draws([3]), 0.5) == expected).all()


def test_saturation_keeps_the_grey_of_colours_and_says_why_grey_pictures_have_none():
    x = np.random.default_rng(0).integers(60, 190, (4, 3, 5, 5)).astype(np.uint8)
    moved = saturation(x, draws(range(4)), 0.3)
    weights = np.array([0.299, 0.587, 0.114])
    assert abs(np.tensordot(weights, moved, (0, 1)) - np.tensordot(weights, x, (0, 1))).max() < 1
    spread, before = (np.ptp(pictures.astype(int), axis=1).mean(axis=(1, 2)) for pictures in (moved, x))
    factor = 1.3 ** draws(range(4)).uniform(-1, 1)
    assert spread / before == pytest.approx(factor, rel=0.03)
    with pytest.raises(InputError, match=r"expected colour pictures .* found 1; .* MRI slices are grey everywhere"):
        saturation(x[:, :1], draws(range(4)), 0.3)


def test_cutout_blackens_one_square_at_most_as_large_as_asked_for():
    x = np.full((50, 1, 20, 20), 9, np.uint8)
    black = cutout(x, draws(range(50), count=50), 0.5)[:, 0] == 0
    assert black.any(axis=(1, 2)).all()
    for one in black:
        rows, columns = np.flatnonzero(one.any(axis=1)), np.flatnonzero(one.any(axis=0))
        assert one[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert max(len(rows), len(columns)) <= 10


def test_a_text_names_a_preset_changes_or_both():
    assert parse("none") == Augmentation()
    assert parse("strong") == PRESETS["strong"]
    assert parse("rotate=15,flip") == Augmentation(rotate=15, flip=True)
    assert parse("light,flip=0,cutout=0.5").amounts() == {
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
def test_a_text_that_names_no_change_is_explained(text, words):
    with pytest.raises(InputError, match=words):
        parse(text)


def test_the_warp_wants_bytes_and_a_map_for_each_picture(pictures):
    with pytest.raises(ValueError, match=r"expected uint8 \(N, C, H, W\), found float32"):
        affine(pictures.astype(np.float32), np.zeros((COUNT, 2, 3)))
    with pytest.raises(ValueError, match=r"maps: expected shape \(6, 2, 3\), found \(5, 2, 3\)"):
        affine(pictures, np.zeros((5, 2, 3)))
