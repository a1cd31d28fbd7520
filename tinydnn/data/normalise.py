"""Normalisation of pixels: by statistics of the training set, or as a pretrained network expects them.

    standard:      x' = (x − mean) / std                          (the paper's (x − μ) / σ)
    minmax:        x' = (x − min) / (max − min)                   in [0, 1] on the training set
    preprocessing: x'[c] = (x[c] / scale − mean[c]) / std[c]      c in the network's channel order

Pixels, and the statistics of the first two, are in units of the prepared images, 0 to 255. Every later image needs
the same values, so the model file stores them.
"""

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal, Self, TypeAlias

import numpy as np

from tinydnn.backend import array_module
from tinydnn.data.dataset import Dataset
from tinydnn.errors import InputError

_BATCH = 64


@dataclass(frozen=True)
class Normalisation:
    """x' = (x − shift) / scale."""

    kind: Literal["standard", "minmax"]
    shift: float
    scale: float

    channels = 1

    def __str__(self) -> str:
        return f"grey, minus {self.shift:g}, over {self.scale:g} ({self.kind})"

    @classmethod
    def fit(cls, dataset: Dataset, indices: np.ndarray, kind: Literal["standard", "minmax"] = "standard") -> Self:
        """Compute shift and scale from the slices `indices`, a batch in memory at a time.

        Pixels have 256 values, so a histogram gives exact sums that do not depend on the order of the slices.
        If all pixels are equal, the scale is 1 and x' is 0. Raises `InputError` for no slices or an unknown kind.
        """
        if kind not in ("standard", "minmax"):
            raise InputError(f"normalise: expected standard or minmax, found {kind}")
        if not len(indices):
            raise InputError("normalise: expected training slices, found none")
        counts = np.zeros(256, np.int64)
        for start in range(0, len(indices), _BATCH):
            pixels = dataset.read(indices[start : start + _BATCH])
            counts += np.bincount(pixels.ravel(), minlength=256)
        if kind == "minmax":
            present = np.flatnonzero(counts)
            low, high = int(present[0]), int(present[-1])
            return cls(kind, float(low), float(high - low) or 1.0)
        n, total, squares = (int(counts @ np.arange(256, dtype=np.int64) ** power) for power in range(3))
        variance = (n * squares - total**2) / n**2  # integers up to the division: no cancellation
        return cls(kind, total / n, variance**0.5 or 1.0)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Normalise pixels (B, C, H, W) uint8, on any device, to float32."""
        y = x.astype(np.float32)
        y -= np.float32(self.shift)
        y /= np.float32(self.scale)
        return y


@dataclass(frozen=True)
class Preprocessing:
    """x'[c] = (x[c] / scale − mean[c]) / std[c], with c in RGB or BGR order. Grey images get three equal channels.

    scale is 255 if mean and std refer to pixels from 0 to 1, else 1.
    """

    order: Literal["RGB", "BGR"]
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    channels = 3

    def __str__(self) -> str:
        mean, std = (", ".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        return f"{self.order}, divided by {self.scale:g}, minus ({mean}), over ({std})"

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Normalise pixels uint8, grey (B, 1, H, W) or RGB (B, 3, H, W), to float32 (B, 3, H, W)."""
        xp = array_module(x)
        ordered = x[:, ::-1] if self.order == "BGR" else x
        y = xp.broadcast_to(ordered, (len(x), 3, *x.shape[2:])).astype(np.float32)
        y /= np.float32(self.scale)
        y -= xp.asarray(self.mean, np.float32)[:, None, None]
        y /= xp.asarray(self.std, np.float32)[:, None, None]
        return y


AnyNormalisation: TypeAlias = Normalisation | Preprocessing

TORCHVISION = Preprocessing("RGB", 255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CAFFE = Preprocessing("BGR", 1.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0))


def normalisation_config(normalise: AnyNormalisation) -> dict[str, Any]:
    """The fields of a normalisation as JSON values; `normalisation_from` is the inverse."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(normalise).items()}


def normalisation_from(config: dict[str, Any]) -> AnyNormalisation:
    """The normalisation with the fields `config`. Raises `ValueError` or `TypeError` if they are invalid."""
    if "order" not in config:
        plain = Normalisation(**config)
        if not (isfinite(plain.shift) and isfinite(plain.scale) and plain.scale > 0):
            raise ValueError(f"normalisation: expected a finite shift and a scale above 0, found {plain}")
        return plain
    result = Preprocessing(**{**config, "mean": tuple(config["mean"]), "std": tuple(config["std"])})
    values = (result.scale, *result.mean, *result.std)
    positive = all(value > 0 for value in (result.scale, *result.std))
    if result.order not in ("RGB", "BGR") or len(values) != 7 or not all(map(isfinite, values)) or not positive:
        raise ValueError(
            f"normalisation: expected a mean and a positive std for each of three channels, found {result}"
        )
    return result
