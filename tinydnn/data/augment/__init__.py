"""Augmentation: random geometric and intensity changes of training images."""
