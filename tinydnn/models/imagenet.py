"""Networks with published ImageNet weights: VGG-16, AlexNet and SqueezeNet 1.1.

A network is a convolutional trunk, with layers "features.0", "features.1", …, and a classifier, "classifier.0", …: the
names of the published weights. The trunk takes images of any size large enough for its poolings; a classifier of fully
connected layers takes a single size.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tinydnn.errors import InputError
from tinydnn.layers import Concat, Conv2d, Flatten, GlobalAvgPool2d, Layer, Linear, MaxPool2d, ReLU, Sequential
from tinydnn.models.paper import dropout
from tinydnn.ops.windows import output_size

CLASSES, IMAGE_SIZE = 1000, 224


@dataclass(frozen=True)
class Network:
    """The builders of a network's trunk and classifier.

    channels: of the feature map. classifier_size: pixels along each side of the feature map that the classifier takes;
    None if it takes any.
    """

    name: str
    features: Callable[[np.random.Generator], list[Layer]]
    classifier: Callable[[int, np.random.Generator], list[Layer]]
    channels: int
    classifier_size: int | None

    def trunk(self, *, image_size: int = IMAGE_SIZE, seed: int = 0) -> Sequential:
        """The trunk alone: (N, 3, S, S) → (N, channels, S', S')."""
        layers = self.features(np.random.default_rng(seed))
        self.feature_size(layers, image_size)
        return Sequential(*layers, names=_numbered("features", layers), input_shape=(3, image_size, image_size))

    def whole(self, *, image_size: int = IMAGE_SIZE, classes: int = CLASSES, seed: int = 0) -> Sequential:
        """Trunk and classifier: (N, 3, S, S) → logits (N, classes)."""
        rng = np.random.default_rng(seed)
        features = self.features(rng)
        size = self.feature_size(features, image_size)
        if self.classifier_size not in (None, size):
            expected = f"{self.classifier_size} x {self.classifier_size}"
            raise InputError(
                f"{self.name}: expected an image size that gives the classifier {expected} features, such as "
                f"{IMAGE_SIZE}, found {image_size}, which gives {size} x {size}"
            )
        classifier = self.classifier(classes, rng)
        layers, names = list(features), _numbered("features", features)
        if self.classifier_size is not None:
            layers, names = [*layers, Flatten()], [*names, "flatten"]
        layers, names = [*layers, *classifier], [*names, *_numbered("classifier", classifier)]
        return Sequential(*layers, names=names, input_shape=(3, image_size, image_size))

    def feature_size(self, features: Sequence[Layer], image_size: int) -> int:
        """Pixels along each side of the feature map. Raises `InputError` if the poolings leave nothing."""
        size = image_size
        for layer in features:
            if isinstance(layer, Conv2d):
                size = output_size(size + 2 * layer.padding, layer.kernel_size, layer.stride)
            elif isinstance(layer, MaxPool2d):
                size = output_size(size, layer.window, layer.stride or layer.window)
            if size < 1:
                raise InputError(f"{self.name}: image size: expected more pixels for its poolings, found {image_size}")
        return size


def vgg16(*, image_size: int = IMAGE_SIZE, classes: int = CLASSES, seed: int = 0) -> Sequential:
    """VGG-16: thirteen 3 × 3 convolutions in five blocks, each with a pooling, and three fully connected layers.

    138,357,544 parameters, 14,714,688 of them in the trunk.

    Source: Simonyan and Zisserman, Very Deep Convolutional Networks, table 1, column D.
    """
    return NETWORKS["vgg16"].whole(image_size=image_size, classes=classes, seed=seed)


def alexnet(*, image_size: int = IMAGE_SIZE, classes: int = CLASSES, seed: int = 0) -> Sequential:
    """AlexNet as published for one GPU: 11 × 11 with stride 4, 5 × 5, three 3 × 3; overlapping 3 × 3 pooling.

    61,100,840 parameters, 2,469,696 of them in the trunk.

    Source: Krizhevsky, One weird trick for parallelizing convolutional neural networks, section 3.
    """
    return NETWORKS["alexnet"].whole(image_size=image_size, classes=classes, seed=seed)


def squeezenet1_1(*, image_size: int = IMAGE_SIZE, classes: int = CLASSES, seed: int = 0) -> Sequential:
    """SqueezeNet 1.1: eight "fire" modules, whose 1 × 1 convolutions squeeze the channels before expanding them.

    1,235,496 parameters. Poolings ignore trailing pixels that fill no window.

    Source: Iandola et al., SqueezeNet, section 3, in the authors' later version 1.1.
    """
    return NETWORKS["squeezenet1_1"].whole(image_size=image_size, classes=classes, seed=seed)


def _vgg16_features(rng: np.random.Generator) -> list[Layer]:
    layers: list[Layer] = []
    previous = 3
    for channels, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(convolutions):
            layers += [Conv2d(previous, channels, 3, padding=1, rng=rng), ReLU()]
            previous = channels
        layers.append(MaxPool2d(2))
    return layers


def _vgg16_classifier(classes: int, rng: np.random.Generator) -> list[Layer]:
    return [
        Linear(512 * 7 * 7, 4096, rng=rng), ReLU(), dropout(rng),
        Linear(4096, 4096, rng=rng), ReLU(), dropout(rng), Linear(4096, classes, rng=rng),
    ]  # fmt: skip


def _alexnet_features(rng: np.random.Generator) -> list[Layer]:
    return [
        Conv2d(3, 64, 11, stride=4, padding=2, rng=rng), ReLU(), MaxPool2d(3, stride=2),
        Conv2d(64, 192, 5, padding=2, rng=rng), ReLU(), MaxPool2d(3, stride=2),
        Conv2d(192, 384, 3, padding=1, rng=rng), ReLU(), Conv2d(384, 256, 3, padding=1, rng=rng), ReLU(),
        Conv2d(256, 256, 3, padding=1, rng=rng), ReLU(), MaxPool2d(3, stride=2),
    ]  # fmt: skip


def _alexnet_classifier(classes: int, rng: np.random.Generator) -> list[Layer]:
    return [
        dropout(rng), Linear(256 * 6 * 6, 4096, rng=rng), ReLU(),
        dropout(rng), Linear(4096, 4096, rng=rng), ReLU(), Linear(4096, classes, rng=rng),
    ]  # fmt: skip


def _squeezenet_features(rng: np.random.Generator) -> list[Layer]:
    layers: list[Layer] = [Conv2d(3, 64, 3, stride=2, rng=rng), ReLU()]
    previous = 64
    for modules in (((16, 64), (16, 64)), ((32, 128), (32, 128)), ((48, 192), (48, 192), (64, 256), (64, 256))):
        layers.append(MaxPool2d(3, stride=2))
        for squeezed, expanded in modules:
            layers.append(_fire(previous, squeezed, expanded, rng))
            previous = 2 * expanded
    return layers


def _fire(channels: int, squeezed: int, expanded: int, rng: np.random.Generator) -> Sequential:
    """Squeeze by 1 × 1, then expand by 1 × 1 and by 3 × 3 in parallel: 2 · `expanded` channels."""
    squeeze = Conv2d(channels, squeezed, 1, rng=rng)
    expand1x1 = Sequential(Conv2d(squeezed, expanded, 1, rng=rng), ReLU(), names=["expand1x1", "relu"])
    expand3x3 = Sequential(Conv2d(squeezed, expanded, 3, padding=1, rng=rng), ReLU(), names=["expand3x3", "relu"])
    return Sequential(squeeze, ReLU(), Concat(expand1x1, expand3x3), names=["squeeze", "relu", "concat"])


def _squeezenet_classifier(classes: int, rng: np.random.Generator) -> list[Layer]:
    return [dropout(rng), Conv2d(512, classes, 1, rng=rng), ReLU(), GlobalAvgPool2d()]


def _numbered(part: str, layers: Sequence[Layer]) -> list[str]:
    return [f"{part}.{index}" for index in range(len(layers))]


NETWORKS = {
    network.name: network
    for network in (
        Network("vgg16", _vgg16_features, _vgg16_classifier, channels=512, classifier_size=7),
        Network("alexnet", _alexnet_features, _alexnet_classifier, channels=256, classifier_size=6),
        Network("squeezenet1_1", _squeezenet_features, _squeezenet_classifier, channels=512, classifier_size=None),
    )
}
