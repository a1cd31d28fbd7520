"""Datasets: read files, prepare, split, normalise, augment and batch them; and generate phantoms."""

from tinydnn.data.augment import Augmentation, parse_augmentation
from tinydnn.data.batches import epoch_batches
from tinydnn.data.crop import Crop
from tinydnn.data.dataset import Dataset
from tinydnn.data.load import load, load_phantoms
from tinydnn.data.normalise import Normalisation
from tinydnn.data.split import Split, split

__all__ = [
    "Augmentation", "Crop", "Dataset", "Normalisation", "Split", "epoch_batches", "load", "load_phantoms",
    "parse_augmentation", "split",
]  # fmt: skip
