"""How well a map of relevance finds the tumour, whose mask is known: four scores from 0 to 1.

The number of pixels is P, the share of them inside the mask is s. A score that is to mean something is compared with
that of chance, which is near s for all four, and with those of `tinydnn.explain.baselines`.

Pixels of equal relevance have no order. Each score takes the mean over all orders of them, or a value near it that is
named there; so a map that is constant, as one of zeros, gets a score of chance.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from tinydnn.backend import Array, array_module


@dataclass(frozen=True)
class MaskScore:
    """A score of maps against masks: its name in results, its title in tables and plots, and its function."""

    name: str
    title: str
    function: Callable[[Array, Array], Array]


def pointing_game(maps: Array, masks: Array) -> Array:
    """Whether the most relevant pixel lies inside the mask, (N,).

        z[n] = #{p in mask: a[n,p] = max a[n]} / #{p: a[n,p] = max a[n]}

    maps: (N, H, W), from 0. masks: (N, H, W) bool. z is 1 or 0 unless several pixels share the maximum; then it is the
    share of them that lies inside. There is no tolerance around the mask: the masks are exact outlines, unlike the
    boxes of the paper, and many tumours are smaller than its tolerance of 15 pixels.

    Chance: s. A constant map: s.

    Raises ValueError for shapes that differ, a mask without pixels, and a relevance that is negative or not finite.
    Source: Zhang et al., Top-down Neural Attention by Excitation Backprop (2018), section 4.1.
    """
    a, inside = _pixels(maps, masks)
    highest = a == a.max(axis=1, keepdims=True)
    return (highest & inside).sum(axis=1) / highest.sum(axis=1)


def energy_inside(maps: Array, masks: Array) -> Array:
    """The share of the relevance that lies inside the mask, (N,).

        z[n] = Σ_{p in mask} a[n,p] / Σ_p a[n,p]

    maps: (N, H, W), from 0. masks: (N, H, W) bool.

    Chance: s. A constant map: s; so for one of zeros, too, whose share has no value.

    Raises as `pointing_game` does.
    Source: Wang et al., Score-CAM (2020), section 4.3, the energy-based pointing game.
    """
    a, inside = _pixels(maps, masks)
    xp = array_module(a)
    empty = a.max(axis=1, keepdims=True) == 0
    a = xp.where(empty, 1, a / xp.where(empty, 1, a.max(axis=1, keepdims=True)))  # so that no sum overflows
    return (a * inside).sum(axis=1) / a.sum(axis=1)


def mask_iou(maps: Array, masks: Array) -> Array:
    """Intersection over union of the mask and the most relevant pixels, which are as many as the mask has, (N,).

        z[n] = i / (2·k − i)        k = pixels of the mask, i = those of them among the k most relevant pixels

    maps: (N, H, W), from 0. masks: (N, H, W) bool. The number k is that of the mask, so no threshold is chosen. Where
    pixels tie for the last places among the k, i counts each of those inside the mask as the share of them that finds a
    place.

    Chance: near s / (2 − s), where i = k·s. A constant map: s / (2 − s).

    Raises as `pointing_game` does.
    """
    a, inside = _pixels(maps, masks)
    xp = array_module(a)
    k = inside.sum(axis=1)
    last = xp.take_along_axis(xp.sort(a, axis=1), (a.shape[1] - k)[:, None], axis=1)
    above, ties = a > last, a == last
    places = (k - above.sum(axis=1)) / ties.sum(axis=1)
    i = (above & inside).sum(axis=1) + places * (ties & inside).sum(axis=1)
    return i / (2 * k - i)


def average_precision(maps: Array, masks: Array) -> Array:
    """Average precision of the relevance as a classifier of pixels, (N,).

        z[n] = Σ_t (R[t] − R[t−1]) · P[t]

    over the distinct values of the map from the highest down, with precision P[t] and recall R[t] of the pixels that
    are at least as relevant: pixels that tie enter together. maps: (N, H, W), from 0. masks: (N, H, W) bool.

    Chance: near s (above it by less than (1 + ln P)/P). A constant map: s.

    Raises as `pointing_game` does.
    Source: scikit-learn's average_precision_score; Everingham et al., The Pascal VOC Challenge (2010), section 4.2.
    """
    a, inside = _pixels(maps, masks)
    xp = array_module(a)
    return xp.stack([_average_precision(xp, *rows) for rows in zip(a, inside, strict=True)])


def _average_precision(xp: ModuleType, a: Array, inside: Array) -> Array:
    order = xp.argsort(-a)
    a, hits = a[order], xp.cumsum(inside[order])
    ends = xp.flatnonzero(xp.append(a[1:] != a[:-1], True))  # the last of each group of equal values
    hits = hits[ends]
    recall = hits / hits[-1]
    return (xp.diff(recall, prepend=0) * hits / (ends + 1)).sum()


def _pixels(maps: Array, masks: Array) -> tuple[Array, Array]:
    """Maps as float64 and masks as bool, both (N, P)."""
    if maps.ndim != 3 or maps.shape != masks.shape:
        raise ValueError(f"maps, masks: expected the same shape (N, H, W), found {maps.shape} and {masks.shape}")
    a, inside = maps.reshape(len(maps), -1).astype(float), masks.reshape(len(masks), -1).astype(bool)
    if not inside.any(axis=1).all():
        raise ValueError("masks: expected at least one pixel in each, found an empty mask")
    if not ((a >= 0) & (a < float("inf"))).all():
        raise ValueError("maps: expected finite numbers from 0, found others")
    return a, inside


MASK_SCORES = (
    MaskScore("pointing_game", "pointing game", pointing_game),
    MaskScore("energy_inside", "energy inside", energy_inside),
    MaskScore("mask_iou", "IoU", mask_iou),
    MaskScore("average_precision", "average precision", average_precision),
)
