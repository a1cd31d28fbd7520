"""Region networks, which classify each region of an image and let the regions vote on the class of the image."""

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
    """A network that classifies regions of 8 × 8 pixels, which vote on the class of the image.

    (N, in_channels, S, S) → 16 channels at S/2 → 32 at S/4 → 64 at S/8 → 128 → 128 → region map (N, classes + 1, S/8,
    S/8), whose first channel is background → logits (N, classes). In training, tumour masks teach it where to look
    (`tinydnn.training.loss`); the trained network needs none.

    Batch normalisation follows pooling, which leaves a quarter of the elements, so that convolution, ReLU and pooling
    run as one kernel. The first block has none: it is the most expensive, and its input is normalised already.

    Source: Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation.
    """
    check_size(image_size)
    rng = np.random.default_rng(seed)
    layers: list[Layer] = []
    previous = in_channels
    for index, (channels, pool) in enumerate(blocks):
        layers += [Conv2d(previous, channels, 3, padding=1, rng=rng), ReLU()]
        if pool:
            layers.append(MaxPool2d(2))
        if index > 0:
            layers.append(BatchNorm2d(channels))
        previous = channels
    region_classifier = Conv2d(previous, classes + 1, 1, rng=rng)
    region_classifier.weight.value *= np.float32(0.1)  # for the reason given in `paper.classifier`
    return Sequential(*layers, region_classifier, RegionVote(), input_shape=(in_channels, image_size, image_size))


def large_region_cnn(*, image_size: int = 256, in_channels: int = 1, classes: int = 3, seed: int = 0) -> Sequential:
    """The same for larger images, with regions of 16 × 16 pixels: four blocks are pooled instead of three."""
    return region_cnn(image_size=image_size, in_channels=in_channels, classes=classes, seed=seed, blocks=LARGE_BLOCKS)
