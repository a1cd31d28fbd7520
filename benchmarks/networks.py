"""The networks of the benchmarks, in tinydnn and in PyTorch, and PyTorch's training step.

Imports are local: each contestant imports its own library alone, because its memory is measured.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tinydnn.layers import Sequential

CHANNELS, HIDDEN, CLASSES = (16, 32, 64, 128), 128, 3  # of the baseline network
VGG16_CHANNELS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)  # 0: pooling


def tinydnn_cnn(size: int) -> "Sequential":
    """The baseline network without dropout, whose random draws would differ between the libraries."""
    from tinydnn.layers import Dropout, Sequential
    from tinydnn.models import baseline_cnn

    return Sequential(*(layer for layer in baseline_cnn(image_size=size).layers if not isinstance(layer, Dropout)))


def torch_cnn(size: int, *, dropout: float = 0.0) -> "nn.Sequential":
    """The baseline network for images of one channel and `size` × `size` pixels."""
    from torch import nn

    layers: list[nn.Module] = []
    previous = 1
    for channels in CHANNELS:
        layers += [nn.Conv2d(previous, channels, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        previous = channels
    layers += [nn.Flatten(), nn.Linear(previous * (size // 2 ** len(CHANNELS)) ** 2, HIDDEN), nn.ReLU(inplace=True)]
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(HIDDEN, CLASSES))


def torch_vgg16_trunk() -> "nn.Sequential":
    """VGG-16 without its classifier, in evaluation mode."""
    from torch import nn

    layers: list[nn.Module] = []
    previous = 3
    for channels in VGG16_CHANNELS:
        if channels:
            layers += [nn.Conv2d(previous, channels, 3, padding=1), nn.ReLU(inplace=True)]
            previous = channels
        else:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers).eval()


def load_torch_weights(model: "nn.Sequential", arrays: Iterable[np.ndarray]) -> None:
    """Copy arrays into the parameters, in the order of the layers."""
    import torch

    with torch.no_grad():
        for parameter, array in zip(model.parameters(), arrays, strict=True):
            parameter.copy_(torch.tensor(array))


def torch_training_step(forward: Any, optimizer: Any, x: "torch.Tensor", y: "torch.Tensor") -> "torch.Tensor":
    """Forward, loss, backward, update; the loss before the update, detached and on its device."""
    from torch.nn import functional

    loss = functional.cross_entropy(forward(x), y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()
