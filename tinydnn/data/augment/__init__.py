"""Augmentation: random geometric and intensity changes of training images."""

from tinydnn.data.augment.augmentation import Augmentation, parse_augmentation
from tinydnn.data.augment.draws import Draws

__all__ = ["Augmentation", "Draws", "parse_augmentation"]
