"""Normalisation: the paper's formula, fitted to the training set alone; and preprocessing of pretrained networks."""

import json

import numpy as np
import pytest

from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import (
    CAFFE,
    TORCHVISION,
    Normalisation,
    Preprocessing,
    normalisation_config,
    normalisation_from,
)
from tinydnn.errors import InputError

IMAGES = np.random.default_rng(0).integers(3, 201, (150, 1, 9, 9)).astype(np.uint8)
TRAIN = np.arange(0, 150, 2)
GREY = np.random.default_rng(0).integers(0, 256, (2, 1, 3, 4)).astype(np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (2, 3, 3, 4)).astype(np.uint8)


@pytest.fixture
def dataset():
    return Dataset(IMAGES, np.zeros(150, np.int64), np.full(150, ""), ("a",))


def test_training_pixels_get_mean_0_and_deviation_1(dataset):
    normalise = Normalisation.fit(dataset, TRAIN)
    x = normalise(IMAGES[TRAIN]).astype(np.float64)
    assert abs(x.mean()) < 1e-6
    assert abs(x.std() - 1) < 1e-6


def test_mean_and_deviation_are_those_of_the_training_pixels(dataset):
    normalise = Normalisation.fit(dataset, TRAIN)
    pixels = IMAGES[TRAIN].astype(np.float64)
    assert normalise.shift == pytest.approx(pixels.mean(), rel=1e-14)
    assert normalise.scale == pytest.approx(pixels.std(), rel=1e-13)


def test_the_order_of_the_slices_does_not_change_a_bit(dataset):
    assert Normalisation.fit(dataset, TRAIN) == Normalisation.fit(dataset, TRAIN[::-1])


def test_other_slices_have_no_influence(dataset):
    changed = IMAGES.copy()
    changed[1::2] = 255
    other = Dataset(changed, dataset.labels, dataset.patients, ("a",))
    assert Normalisation.fit(dataset, TRAIN) == Normalisation.fit(other, TRAIN)


def test_minmax_spans_0_to_1(dataset):
    x = Normalisation.fit(dataset, TRAIN, "minmax")(IMAGES[TRAIN])
    assert (x.min(), x.max()) == (0, 1)


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_the_result_is_float32_and_the_input_is_unchanged(dataset, kind):
    before = IMAGES.copy()
    assert Normalisation.fit(dataset, TRAIN, kind)(IMAGES).dtype == np.float32
    assert np.array_equal(IMAGES, before)


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_equal_pixels_become_0(kind):
    images = np.full((3, 1, 4, 4), 77, np.uint8)
    flat = Dataset(images, np.zeros(3, np.int64), np.full(3, ""), ("a",))
    assert not Normalisation.fit(flat, np.arange(3), kind)(images).any()


def test_unknown_kinds_and_no_slices_are_refused(dataset):
    with pytest.raises(InputError, match="expected standard or minmax, found zscore"):
        Normalisation.fit(dataset, TRAIN, "zscore")
    with pytest.raises(InputError, match="found none"):
        Normalisation.fit(dataset, TRAIN[:0])


def test_grey_becomes_three_channels_on_the_networks_scale():
    x = TORCHVISION(GREY)
    assert (x.shape, x.dtype) == ((2, 3, 3, 4), np.float32)
    for channel, (mean, std) in enumerate(zip(TORCHVISION.mean, TORCHVISION.std, strict=True)):
        np.testing.assert_allclose(x[:, channel], (GREY[:, 0] / 255 - mean) / std, rtol=1e-5, atol=1e-6)


def test_colours_are_in_the_networks_order():
    x = CAFFE(COLOUR)
    for channel, mean in enumerate(CAFFE.mean):  # blue, green, red
        np.testing.assert_allclose(x[:, channel], COLOUR[:, 2 - channel] - mean, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(TORCHVISION(COLOUR)[:, 0], (COLOUR[:, 0] / 255 - 0.485) / 0.229, rtol=1e-5, atol=1e-6)


def test_preprocessing_does_not_change_its_input():
    before = GREY.copy()
    CAFFE(GREY)
    assert np.array_equal(GREY, before)


@pytest.mark.parametrize("normalise", [CAFFE, TORCHVISION, Normalisation("standard", 40.0, 50.0)])
def test_a_config_restores_the_normalisation(normalise):
    assert normalisation_from(json.loads(json.dumps(normalisation_config(normalise)))) == normalise


@pytest.mark.parametrize(
    "changes",
    [{"order": "GBR"}, {"mean": (1.0, 2.0)}, {"std": (1.0, 0.0, 1.0)}, {"scale": float("nan")}, {"mean": (1e999,) * 3}],
)
def test_an_invalid_config_is_refused(changes):
    with pytest.raises(ValueError, match="expected a mean and a positive std for each of three channels"):
        normalisation_from({**normalisation_config(CAFFE), **changes})


def test_preprocessing_has_three_channels():
    assert (Preprocessing.channels, Normalisation.channels) == (3, 1)
