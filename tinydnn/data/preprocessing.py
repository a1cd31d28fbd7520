"""Bringing pixels to the scale that a published network learned at."""

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal, TypeAlias

import numpy as np

from tinydnn.backend import array_module
from tinydnn.data.normalise import Normalisation


@dataclass(frozen=True)
class Preprocessing:
    """Three channels as a published network wants them:

        x'[c] = (x[c] / scale − mean[c]) / std[c]        c in the order of the network, RGB or BGR

    A grey picture becomes three equal channels first. Pixels are 0 to 255; scale is 255 where mean and std are those
    of numbers from 0 to 1.
    """

    order: Literal["RGB", "BGR"]
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    channels = 3

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Pixels (B, 1, H, W) or, in the order RGB, (B, 3, H, W), uint8, to (B, 3, H, W) float32."""
        xp = array_module(x)
        seen = x[:, ::-1] if self.order == "BGR" else x
        seen = xp.broadcast_to(seen, (len(x), 3, *x.shape[2:]))
        y = seen.astype(np.float32)
        y /= np.float32(self.scale)
        y -= xp.asarray(self.mean, np.float32)[:, None, None]
        y /= xp.asarray(self.std, np.float32)[:, None, None]
        return y


AnyNormalisation: TypeAlias = Normalisation | Preprocessing

TORCHVISION = Preprocessing("RGB", 255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CAFFE = Preprocessing("BGR", 1.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0))


def normalisation_config(normalise: AnyNormalisation) -> dict[str, Any]:
    """What `normalisation_from` takes, as JSON gives it back."""
    return {name: list(one) if isinstance(one, tuple) else one for name, one in asdict(normalise).items()}


def normalisation_from(config: dict[str, Any]) -> AnyNormalisation:
    """The normalisation that a file describes. Raises `ValueError` or `TypeError` where it makes no sense."""
    if "order" not in config:
        one = Normalisation(**config)
        if not (isfinite(one.shift) and isfinite(one.scale) and one.scale > 0):
            raise ValueError(f"normalisation: expected a finite shift and a scale above 0, found {one}")
        return one
    found = Preprocessing(**{**config, "mean": tuple(config["mean"]), "std": tuple(config["std"])})
    numbers = (found.scale, *found.mean, *found.std)
    positive = all(one > 0 for one in (found.scale, *found.std))
    if found.order not in ("RGB", "BGR") or len(numbers) != 7 or not all(map(isfinite, numbers)) or not positive:
        raise ValueError(f"normalisation: expected a mean and a positive std for each of three channels, found {found}")
    return found
