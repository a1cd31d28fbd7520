"""Augmentation: other pictures that the same slice could have been.

Each is a pure function of a batch and of the numbers drawn for its slices (`tinydnn.data.augment.draws`); `Augmentation` puts
them one after the other. Pictures are as the dataset holds them, (N, C, H, W) uint8, on the CPU or on a GPU, and stay
so. Crops are among the warps: a zoom above 1 with a shift shows a part of the picture.

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

GREY = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601


def warp_maps(draws: Draws, *, rotate: float, shift: float, zoom: float, flip: bool, side: int) -> np.ndarray:
    """The maps (N, 2, 3) of `affine` that turn, move, enlarge and mirror each picture.

    rotate: at most so many degrees, either way. shift: at most that share of `side`, each way. zoom: a factor from
    1 / (1 + zoom) to 1 + zoom. flip: left to right, every second time.
    """
    angle = np.deg2rad(draws.uniform(-rotate, rotate))
    factor = (1 + zoom) ** draws.uniform(-1, 1)
    down, right = (side * draws.uniform(-shift, shift) for _ in range(2))
    mirror = np.where(draws.coin() & flip, -1.0, 1.0)
    cos, sin = np.cos(angle) / factor, np.sin(angle) / factor
    return np.stack([np.stack([cos, -sin * mirror, down], -1), np.stack([sin, cos * mirror, right], -1)], 1)


def warp(
    x: Array, draws: Draws, *, rotate: float = 0, shift: float = 0, zoom: float = 0, flip: bool = False,
    masks: Array | None = None,
) -> tuple[Array, Array | None]:  # fmt: skip
    """Turn, move, enlarge and mirror pictures in one go, and their masks (N, H, W) bool with them, if there are any."""
    maps = warp_maps(draws, rotate=rotate, shift=shift, zoom=zoom, flip=flip, side=x.shape[-1])
    moved = None
    if masks is not None:
        moved = affine(masks[:, None].astype(np.uint8), maps, nearest=True)[:, 0] > 0
    return affine(x, maps), moved


def brightness(x: Array, draws: Draws, amount: float) -> Array:
    """Brighten or darken: z = a · x, with a from 1 / (1 + amount) to 1 + amount. Black, the air, stays black."""
    factor = (1 + amount) ** draws.uniform(-1, 1)[:, None]
    return _by_table(x, lambda levels: factor * levels)


def contrast(x: Array, draws: Draws, amount: float) -> Array:
    """Spread the levels: z = m + a · (x − m), with m the picture's mean and a from 1 / (1 + amount) to 1 + amount."""
    mean = np.asarray([float(picture.mean()) for picture in x])[:, None]
    factor = (1 + amount) ** draws.uniform(-1, 1)[:, None]
    return _by_table(x, lambda levels: mean + factor * (levels - mean))


def saturation(x: Array, draws: Draws, amount: float) -> Array:
    """Spread the colours: z = g + a · (x − g), with g the pixel's grey and a from 1 / (1 + amount) to 1 + amount.

    x, z: (N, 3, H, W), red, green and blue.
    Raises `InputError` for grey pictures.
    """
    if x.shape[1] != 3:
        raise InputError(
            f"saturation: expected colour pictures (3 channels), found {x.shape[1]}; it is how far a colour is from "
            "grey, and MRI slices are grey everywhere"
        )
    xp = array_module(x)
    factor = xp.asarray((1 + amount) ** draws.uniform(-1, 1), np.float32)[:, None, None, None]
    grey = xp.tensordot(xp.asarray(GREY, np.float32), x.astype(np.float32), (0, 1))[:, None]  # (N, 1, H, W)
    return xp.clip(xp.rint(grey + factor * (x - grey)), 0, 255).astype(np.uint8)


def cutout(x: Array, draws: Draws, share: float) -> Array:
    """A square whose side is that share of the picture's becomes black; its middle may be anywhere."""
    height, width = x.shape[2:]
    half = share * min(height, width) / 2
    rows, columns = draws.uniform(0, height), draws.uniform(0, width)
    z = x.copy()
    for picture, row, column in zip(z, rows, columns, strict=True):
        top, left = round(max(row - half, 0)), round(max(column - half, 0))
        picture[:, top : round(row + half), left : round(column + half)] = 0
    return z


def _by_table(x: Array, change: Callable[[np.ndarray], np.ndarray]) -> Array:
    """Apply a change of grey levels: `change` of (1, 256) levels gives (N, 256), rounded and cut to 0 … 255."""
    xp = array_module(x)
    table = np.clip(np.rint(change(np.arange(256.0)[None])), 0, 255).astype(np.uint8)
    z = xp.empty_like(x)
    for picture, levels, out in zip(x, xp.asarray(table), z, strict=True):
        out[...] = levels[picture]
    return z


@dataclass(frozen=True)
class Augmentation:
    """How strongly each kind of change is applied; 0 or False leaves it out. See the functions of these names."""

    rotate: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    flip: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    cutout: float = 0.0

    def __post_init__(self) -> None:
        limits = {"rotate": 180, "shift": 1, "zoom": 3, "brightness": 3, "contrast": 3, "saturation": 3, "cutout": 1}
        for name, most in limits.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
                raise InputError(f"--{name}: expected a number from 0 to {most}, found {value}")
        if not isinstance(self.flip, bool):
            raise InputError(f"--flip: expected true or false, found {self.flip}")

    def __bool__(self) -> bool:
        return bool(self.amounts())

    def amounts(self) -> dict[str, float]:
        """The changes that are made, with their amounts."""
        return {name: float(amount) for name, amount in asdict(self).items() if amount}

    def __call__(self, x: Array, draws: Draws, masks: Array | None = None) -> tuple[Array, Array | None]:
        """The changed pictures, and their masks, moved with them, where some are given."""
        if self.rotate or self.shift or self.zoom or self.flip:
            x, masks = warp(x, draws, rotate=self.rotate, shift=self.shift, zoom=self.zoom, flip=self.flip, masks=masks)
        for change, amount in (
            (brightness, self.brightness), (contrast, self.contrast), (saturation, self.saturation),
            (cutout, self.cutout),
        ):  # fmt: skip
            if amount:
                x = change(x, draws, amount)
        return x, masks


PRESETS = {
    "none": Augmentation(),
    "light": Augmentation(rotate=10, shift=0.05, zoom=0.1, flip=True, brightness=0.1, contrast=0.1),
    "strong": Augmentation(rotate=20, shift=0.1, zoom=0.2, flip=True, brightness=0.3, contrast=0.3, cutout=0.2),
}


def parse(text: str) -> Augmentation:
    """The augmentation that a text names: a preset, changes by name, or both, as in "light,rotate=20,flip=0".

    Raises `InputError` for a name or a value that is none.
    """
    chosen, *changes = text.split(",") if text.partition(",")[0] in PRESETS else ["none", *text.split(",")]
    values: dict[str, Any] = asdict(PRESETS[chosen])
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
