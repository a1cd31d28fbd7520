"""The networks that tinydnn trains from scratch: the paper's, one with batch normalisation, one of regions."""

import numpy as np

from tinydnn.errors import InputError
from tinydnn.layers import (
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Layer,
    Linear,
    MaxPool2d,
    RegionVote,
    ReLU,
    Sequential,
)

CHANNELS = (16, 32, 64, 128)
# Channels of each block, and whether it is pooled.
REGION_BLOCKS = ((16, True), (32, True), (64, True), (128, False), (128, False))
LARGE_REGION_BLOCKS = ((16, True), (32, True), (64, True), (128, True), (128, False))


def baseline_cnn(*, image_size: int = 256, in_channels: int = 1, classes: int = 3, seed: int = 0) -> Sequential:
    """The paper's network: four times convolution, ReLU and max pooling, then two fully connected layers.

    (N, in_channels, S, S) → 16 channels at S/2 → 32 at S/4 → 64 at S/8 → 128 at S/16 → 128 → logits (N, classes).
    Convolutions are 3 × 3 and keep the size ("same" padding); pooling is 2 × 2; in training half of the 128 are
    dropped.

    Source: Hou and Zhang, network structure.
    """
    _check_size(image_size)
    rng = np.random.default_rng(seed)
    layers: list[Layer] = []
    previous = in_channels
    for channels in CHANNELS:
        layers += [Conv2d(previous, channels, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2)]
        previous = channels
    features = previous * (image_size // 2 ** len(CHANNELS)) ** 2
    head = [Flatten(), Linear(features, 128, rng=rng), ReLU(), dropout(rng), classifier(128, classes, rng)]
    return Sequential(*layers, *head, input_shape=(in_channels, image_size, image_size))


def batchnorm_cnn(*, image_size: int = 256, in_channels: int = 1, classes: int = 3, seed: int = 0) -> Sequential:
    """The same four blocks with batch normalisation, and the mean of each channel in place of the large matrix.

    (N, in_channels, S, S) → … → 128 channels at S/16 → their means (N, 128) → logits (N, classes).

    Source: Ioffe and Szegedy, Batch Normalization; Lin, Chen and Yan, Network In Network.
    """
    _check_size(image_size)
    rng = np.random.default_rng(seed)
    layers: list[Layer] = []
    previous = in_channels
    for channels in CHANNELS:
        # No bias: the normalisation right after would take it away again.
        convolution = Conv2d(previous, channels, 3, padding=1, bias=False, rng=rng)
        layers += [convolution, BatchNorm2d(channels), ReLU(), MaxPool2d(2)]
        previous = channels
    head = [GlobalAvgPool2d(), dropout(rng), classifier(previous, classes, rng)]
    return Sequential(*layers, *head, input_shape=(in_channels, image_size, image_size))


def region_cnn(
    *,
    image_size: int = 256,
    in_channels: int = 1,
    classes: int = 3,
    seed: int = 0,
    blocks: tuple[tuple[int, bool], ...] = REGION_BLOCKS,
) -> Sequential:
    """A network that says of each region of 8 × 8 pixels what it shows, and lets the regions vote.

    (N, in_channels, S, S) → 16 channels at S/2 → 32 at S/4 → 64 at S/8 → 128 → 128 → the map, (N, classes + 1, S/8,
    S/8), whose first channel is background → logits (N, classes). It learns from the masks of tumours where to look
    (`tinydnn.objective`), and needs none once it is trained.

    Batches are normalised after pooling, where a quarter of the numbers is left; convolution, ReLU and pooling then run
    as one kernel. Not so after the first block, which has the most numbers, and whose input is normalised already.

    Source: Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation.
    """
    _check_size(image_size)
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
    return region_cnn(
        image_size=image_size, in_channels=in_channels, classes=classes, seed=seed, blocks=LARGE_REGION_BLOCKS
    )


def dropout(rng: np.random.Generator) -> Dropout:
    """Dropout with a generator of its own, so that its draws do not depend on who else draws."""
    return Dropout(0.5, rng=rng.spawn(1)[0])


def classifier(features: int, classes: int, rng: np.random.Generator) -> Linear:
    """The last layer, with a tenth of He's weights, so that training begins with nearly equal probabilities.

    He's rule keeps the size of numbers through ReLU, but max pooling picks the largest and lets them grow from block
    to block. Full weights would turn that into a first loss far above log(classes), and the first steps would go
    into taking it back.
    """
    layer = Linear(features, classes, rng=rng)
    layer.weight.value *= np.float32(0.1)
    return layer


def _check_size(image_size: int) -> None:
    least = 2 ** len(CHANNELS)
    if image_size < least:
        raise InputError(
            f"image_size: expected at least {least} pixels for {len(CHANNELS)} poolings, found {image_size}"
        )
