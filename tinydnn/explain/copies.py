"""Many changed copies of the same images: noisy ones, occluded ones, points on a path."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from tinydnn.backend import Array, array_module
from tinydnn.explain.score import score_gradient, scores
from tinydnn.layers import Sequential

BATCH = 32  # images
T = TypeVar("T")


def in_groups(changes: Iterable[T], images: int) -> Iterator[list[T]]:
    """The changes in order, as many at a time as make `BATCH` copies of `images` images, but at least one.

    So memory does not grow with the number of changes, and a single image keeps all cores busy.
    """
    rest = iter(changes)
    while group := list(islice(rest, max(1, BATCH // images))):
        yield group


def score_gradients(model: Sequential, copies: Sequence[Array], classes: Array) -> Array:
    """The gradients of `score_gradient` for M copies of N images, each (N, C, H, W), as (M, N, C, H, W)."""
    xp = array_module(copies[0])
    gradients = score_gradient(model, xp.concatenate(copies), xp.tile(classes, len(copies)))
    return gradients.reshape(len(copies), *copies[0].shape)


def copy_scores(logits: Array, classes: Array) -> Array:
    """The scores (M, N) in the logits (M·N, K) of M copies of N images."""
    count = len(logits) // len(classes)
    return scores(logits, array_module(logits).tile(classes, count)).reshape(count, len(classes))
