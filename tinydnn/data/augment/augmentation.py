"""Augmentation: random geometric and intensity changes of training images.

Each change is a pure function of a batch and its random draws (`tinydnn.data.augment.draws`); `Augmentation` applies
them in a fixed order. Input and output are images of the dataset, (N, C, H, W) uint8, on the CPU or on a GPU. A crop
is a zoom above 1 with a shift. The paper's change of saturation is left out: grey images have none.

Source: Hou and Zhang, data augmentation (rotation, flip, crop, brightness, contrast, saturation); cutout: DeVries and
Taylor, Improved Regularization of Convolutional Neural Networks with Cutout.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.data.augment.draws import Draws
from tinydnn.data.augment.warp import affine
from tinydnn.errors import InputError


def warp_maps(draws: Draws, *, rotate: float, shift: float, zoom: float, flip: bool, side: int) -> np.ndarray:
    """Draw the maps (N, 2, 3) for `affine`, maps[n] = (A | t), that rotate, zoom, shift and flip each image:

        A = 1/a · ( cos θ   −m sin θ )          t = (down, right)
                  ( sin θ    m cos θ )

    rotate: θ is uniform within ± rotate, in degrees. zoom: a is from 1/(1 + zoom) to 1 + zoom. shift: down and right
    are uniform within ± shift · side, in pixels. flip: m is −1 (left and right exchanged) or 1, with equal probability.
    """
    theta = np.deg2rad(draws.uniform(-rotate, rotate))
    a = draws.factor(zoom)
    down, right = (side * draws.uniform(-shift, shift) for _ in range(2))
    m = np.where(draws.coin() & flip, -1.0, 1.0)
    cos, sin = np.cos(theta) / a, np.sin(theta) / a
    return np.stack([np.stack([cos, -sin * m, down], -1), np.stack([sin, cos * m, right], -1)], 1)


def warp(
    x: Array, draws: Draws, *, rotate: float = 0, shift: float = 0, zoom: float = 0, flip: bool = False,
    masks: Array | None = None,
) -> tuple[Array, Array | None]:  # fmt: skip
    """Rotate, shift, zoom and flip images in one interpolation, and with them their masks (N, H, W) bool, if any."""
    maps = warp_maps(draws, rotate=rotate, shift=shift, zoom=zoom, flip=flip, side=x.shape[-1])
    if masks is not None:
        masks = affine(masks[:, None].astype(np.uint8), maps, nearest=True)[:, 0] > 0
    return affine(x, maps), masks


def brightness(x: Array, draws: Draws, amount: float) -> Array:
    """Scale the grey levels: z = a · x, with a from 1/(1 + amount) to 1 + amount. Black, the air, stays black."""
    a = draws.factor(amount)[:, None]
    return _map_levels(x, lambda levels: a * levels)


def contrast(x: Array, draws: Draws, amount: float) -> Array:
    """Spread the grey levels: z = m + a · (x − m), with m the image's mean and a from 1/(1 + amount) to 1 + amount."""
    m = np.asarray([float(image.mean()) for image in x])[:, None]
    a = draws.factor(amount)[:, None]
    return _map_levels(x, lambda levels: m + a * (levels - m))


def cutout(x: Array, draws: Draws, share: float) -> Array:
    """Set a square to black. Its side is `share` of the image's shorter side, its centre uniform over the image."""
    height, width = x.shape[2:]
    half = share * min(height, width) / 2
    rows, columns = draws.uniform(0, height), draws.uniform(0, width)
    z = x.copy()
    for image, row, column in zip(z, rows, columns, strict=True):
        top, left = round(max(row - half, 0)), round(max(column - half, 0))
        image[:, top : round(row + half), left : round(column + half)] = 0
    return z


def _map_levels(x: Array, change: Callable[[np.ndarray], np.ndarray]) -> Array:
    """Map grey levels through a lookup table: `change` of (1, 256) levels is (N, 256), here rounded and clipped."""
    xp = array_module(x)
    table = np.clip(np.rint(change(np.arange(256.0)[None])), 0, 255).astype(np.uint8)
    z = xp.empty_like(x)
    for image, levels, out in zip(x, xp.asarray(table), z, strict=True):
        out[...] = levels[image]
    return z


@dataclass(frozen=True)
class Augmentation:
    """The amount of each change, as the functions of these names define it; 0 or False: no such change.

    Raises `InputError` for an amount out of range.
    """

    rotate: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    flip: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    cutout: float = 0.0

    def __post_init__(self) -> None:
        limits = {"rotate": 180, "shift": 1, "zoom": 3, "brightness": 3, "contrast": 3, "cutout": 1}
        for name, limit in limits.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= limit:
                raise InputError(f"--{name}: expected a number from 0 to {limit}, found {value}")
        if not isinstance(self.flip, bool):
            raise InputError(f"--flip: expected true or false, found {self.flip}")

    def __bool__(self) -> bool:
        return bool(self.amounts())

    def amounts(self) -> dict[str, float]:
        """The amounts that are not 0, by name."""
        return {name: float(amount) for name, amount in asdict(self).items() if amount}

    def __call__(self, x: Array, draws: Draws, masks: Array | None = None) -> tuple[Array, Array | None]:
        """Augment images (N, C, H, W) uint8, and warp their masks (N, H, W) bool, if any, with them."""
        if self.rotate or self.shift or self.zoom or self.flip:
            x, masks = warp(x, draws, rotate=self.rotate, shift=self.shift, zoom=self.zoom, flip=self.flip, masks=masks)
        for change, amount in ((brightness, self.brightness), (contrast, self.contrast), (cutout, self.cutout)):
            if amount:
                x = change(x, draws, amount)
        return x, masks


PRESETS = {
    "none": Augmentation(),
    "light": Augmentation(rotate=10, shift=0.05, zoom=0.1, flip=True, brightness=0.1, contrast=0.1),
    "strong": Augmentation(rotate=20, shift=0.1, zoom=0.2, flip=True, brightness=0.3, contrast=0.3, cutout=0.2),
}


def parse_augmentation(text: str) -> Augmentation:
    """Parse a preset, changes by name, or a preset followed by changes, as in "light,rotate=20,flip=0".

    Raises `InputError` for an unknown name or an invalid value.
    """
    preset, *changes = text.split(",") if text.partition(",")[0] in PRESETS else ["none", *text.split(",")]
    values: dict[str, Any] = asdict(PRESETS[preset])
    for change in changes:
        name, _, value = change.partition("=")
        if name not in values:
            raise InputError(
                f"--augment: expected {', '.join(PRESETS)}, or one of {', '.join(values)} with a value, found {name!r}"
            )
        try:
            number = float(value or "1" if name == "flip" else value)
        except ValueError:
            raise InputError(f"--augment: {name}: expected a number, found {value!r}") from None
        values[name] = bool(number) if name == "flip" else number
    return Augmentation(**values)
