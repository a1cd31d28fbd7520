"""Small datasets, and trainers on them."""

import numpy as np
import pytest

from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.training.protocol import Protocol
from tinydnn.training.trainer import Trainer

CLASSES = ("a", "b", "c")


def make_random_dataset(count, size, *, largest=256, **fields):
    """Images of uniform noise below `largest`, with the classes in turns."""
    images = np.random.default_rng(0).integers(0, largest, (count, 1, size, size)).astype(np.uint8)
    return Dataset(images, np.arange(count) % len(CLASSES), np.array([""] * count), CLASSES, **fields)


def make_easy_dataset(count, size):
    """Slices whose class is the third of the image that is bright; the masks cover the bright third."""
    dataset = make_random_dataset(count, size, largest=60, masks=np.zeros((count, size, size), bool))
    for image, mask, label in zip(dataset.images, dataset.masks, dataset.labels, strict=True):
        image[0, 5 * label : 5 * label + 5] += 150
        mask[5 * label : 5 * label + 5] = True
    return dataset


def make_simple_trainer(model, optimizer, schedule, dataset, train, held_out, batch_size, epochs, **options):
    """A trainer with seed 5 whose normalisation is fitted to the training slices."""
    protocol = Protocol(train, held_out, batch_size, epochs, seed=5, **options)
    return Trainer(model, optimizer, schedule, dataset, Normalisation.fit(dataset, train), protocol)


@pytest.fixture
def random_dataset():
    """The function `make_random_dataset`."""
    return make_random_dataset


@pytest.fixture
def easy_dataset():
    """The function `make_easy_dataset`."""
    return make_easy_dataset


@pytest.fixture
def simple_trainer():
    """The function `make_simple_trainer`."""
    return make_simple_trainer
