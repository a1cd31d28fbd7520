"""Region networks: they classify each region of an image, and the regions vote on the class of the image."""

import numpy as np

from tinydnn.layers import BatchNorm2d, Conv2d, Layer, MaxPool2d, RegionVote, ReLU, Sequential
from tinydnn.models.paper import check_size

# Channels of each block, and whether it is pooled.
BLOCKS = ((16, True), (32, True), (64, True), (128, False), (128, False))
LARGE_BLOCKS = ((16, True), (32, True), (64, True), (128, True), (128, False))


def region_cnn(
    *,
    image_size: int = 256,
    in_channels: int = 1,
    classes: int = 3,
    seed: int = 0,
    blocks: tuple[tuple[int, bool], ...] = BLOCKS,
) -> Sequential:
    """A network that says of each region of 8 × 8 pixels what it shows, and lets the regions vote.

    (N, in_channels, S, S) → 16 channels at S/2 → 32 at S/4 → 64 at S/8 → 128 → 128 → the map, (N, classes + 1, S/8,
    S/8), whose first channel is background → logits (N, classes). It learns from the masks of tumours where to look
    (`tinydnn.training.loss`), and needs none once it is trained.

    Batches are normalised after pooling, where a quarter of the numbers is left; convolution, ReLU and pooling then run
    as one kernel. Not so after the first block, which has the most numbers, and whose input is normalised already.

    Source: Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation.
    """
    check_size(image_size)
    rng = np.random.default_rng(seed)
    layers: list[Layer] = []
    previous = in_channels
    for channels, pool in blocks:
        layers += [Conv2d(previous, channels, 3, padding=1, rng=rng), ReLU(), *[MaxPool2d(2)] * pool]
        layers += [BatchNorm2d(channels)] * (previous > in_channels)
        previous = channels
    of_regions = Conv2d(previous, classes + 1, 1, rng=rng)
    of_regions.weight.value *= np.float32(0.1)  # as `classifier` does
    return Sequential(*layers, of_regions, RegionVote(), input_shape=(in_channels, image_size, image_size))


def large_region_cnn(*, image_size: int = 256, in_channels: int = 1, classes: int = 3, seed: int = 0) -> Sequential:
    """The same for larger pictures, with regions of 16 × 16 pixels: four blocks are pooled, not three."""
    return region_cnn(image_size=image_size, in_channels=in_channels, classes=classes, seed=seed, blocks=LARGE_BLOCKS)
