"""A reconstruction of the paper's network, and a variant with batch normalisation."""

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
    ReLU,
    Sequential,
)

CHANNELS = (16, 32, 64, 128)


def baseline_cnn(*, image_size: int = 256, in_channels: int = 1, classes: int = 3, seed: int = 0) -> Sequential:
    """A reconstruction of the paper's network: four blocks of convolution, ReLU and max pooling, two linear layers.

    (N, in_channels, S, S) → 16 channels at S/2 → 32 at S/4 → 64 at S/8 → 128 at S/16 → 128 → logits (N, classes).
    Convolutions are 3 × 3 with "same" padding, pooling is 2 × 2, and training drops half of the 128 hidden units.

    Known from the paper are the kinds of layers: convolution, ReLU, max pooling, fully connected. It gives no
    structure: number and order of the layers, widths, kernels, dropout and initial weights are chosen here, as is usual
    for networks of this kind.

    Source: Hou and Zhang, kinds of layers; LeCun et al., Gradient-based learning applied to document recognition
    (1998): convolution and pooling in turn, then fully connected layers; Simonyan and Zisserman, Very Deep
    Convolutional Networks (2015): 3 × 3 kernels, channels that double as the image halves; Krizhevsky et al., ImageNet
    Classification with Deep Convolutional Neural Networks (2012): dropout of half the hidden units; He et al., Delving
    Deep into Rectifiers (2015): initial weights.
    """
    check_size(image_size)
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
    """The same four blocks with batch normalisation, and global average pooling instead of the large matrix.

    (N, in_channels, S, S) → … → 128 channels at S/16 → their means (N, 128) → logits (N, classes).

    Source: Ioffe and Szegedy, Batch Normalization; Lin, Chen and Yan, Network In Network.
    """
    check_size(image_size)
    rng = np.random.default_rng(seed)
    layers: list[Layer] = []
    previous = in_channels
    for channels in CHANNELS:
        convolution = Conv2d(previous, channels, 3, padding=1, bias=False, rng=rng)  # batch norm cancels any bias
        layers += [convolution, BatchNorm2d(channels), ReLU(), MaxPool2d(2)]
        previous = channels
    head = [GlobalAvgPool2d(), dropout(rng), classifier(previous, classes, rng)]
    return Sequential(*layers, *head, input_shape=(in_channels, image_size, image_size))


def dropout(rng: np.random.Generator) -> Dropout:
    """Dropout with a generator of its own, so that its draws do not depend on other draws."""
    return Dropout(0.5, rng=rng.spawn(1)[0])


def classifier(features: int, classes: int, rng: np.random.Generator) -> Linear:
    """The last layer, with a tenth of He's weights, so that training starts with nearly equal probabilities.

    He's rule preserves the scale of activations through ReLU, but max pooling selects the largest, so they grow from
    block to block. Full weights would make the first loss far larger than log(classes), and the first steps would only
    correct that.
    """
    layer = Linear(features, classes, rng=rng)
    layer.weight.value *= np.float32(0.1)
    return layer


def check_size(image_size: int) -> None:
    """Raise `InputError` if the image is too small for the poolings."""
    least = 2 ** len(CHANNELS)
    if image_size < least:
        raise InputError(
            f"image_size: expected at least {least} pixels for {len(CHANNELS)} poolings, found {image_size}"
        )
