"""Normalisation: the paper's formula, exact, and learned from the training slices alone."""

import numpy as np
import pytest

from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.errors import InputError

IMAGES = np.random.default_rng(0).integers(3, 201, (150, 1, 9, 9)).astype(np.uint8)
TRAIN = np.arange(0, 150, 2)


@pytest.fixture
def dataset():
    return Dataset(IMAGES, np.zeros(150, np.int64), np.full(150, ""), ("a",))


def test_training_slices_get_mean_zero_and_deviation_one(dataset):
    normalise = Normalisation.fit(dataset, TRAIN)
    x = normalise(IMAGES[TRAIN]).astype(np.float64)
    assert abs(x.mean()) < 1e-6
    assert abs(x.std() - 1) < 1e-6


def test_mean_and_deviation_are_those_of_the_training_pixels(dataset):
    normalise = Normalisation.fit(dataset, TRAIN)
    pixels = IMAGES[TRAIN].astype(np.float64)
    assert normalise.shift == pytest.approx(pixels.mean(), rel=1e-14)
    assert normalise.scale == pytest.approx(pixels.std(), rel=1e-13)


def test_the_order_of_the_slices_changes_no_bit(dataset):
    assert Normalisation.fit(dataset, TRAIN) == Normalisation.fit(dataset, TRAIN[::-1])


def test_other_slices_have_no_say(dataset):
    changed = IMAGES.copy()
    changed[1::2] = 255
    other = Dataset(changed, dataset.labels, dataset.patients, ("a",))
    assert Normalisation.fit(dataset, TRAIN) == Normalisation.fit(other, TRAIN)


def test_min_max_spans_zero_to_one(dataset):
    x = Normalisation.fit(dataset, TRAIN, "minmax")(IMAGES[TRAIN])
    assert (x.min(), x.max()) == (0, 1)


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_the_result_is_float32_and_the_input_untouched(dataset, kind):
    before = IMAGES.copy()
    assert Normalisation.fit(dataset, TRAIN, kind)(IMAGES).dtype == np.float32
    assert np.array_equal(IMAGES, before)


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_equal_pixels_become_zero(kind):
    images = np.full((3, 1, 4, 4), 77, np.uint8)
    flat = Dataset(images, np.zeros(3, np.int64), np.full(3, ""), ("a",))
    assert not Normalisation.fit(flat, np.arange(3), kind)(images).any()


def test_unknown_kinds_and_no_slices_are_refused(dataset):
    with pytest.raises(InputError, match="expected standard or minmax, found zscore"):
        Normalisation.fit(dataset, TRAIN, "zscore")
    with pytest.raises(InputError, match="found none"):
        Normalisation.fit(dataset, TRAIN[:0])
