"""Occlusion: how much the score drops when a patch of the image is hidden."""

from itertools import product

from tinydnn.backend import Array, array_module
from tinydnn.errors import InputError
from tinydnn.explain.copies import copy_scores, in_groups
from tinydnn.explain.score import scores
from tinydnn.layers import Sequential


def occlusion(
    model: Sequential, x: Array, classes: Array, *, patch: int | None = None, stride: int | None = None
) -> Array:
    """The drop of the score when a patch that covers the pixel is set to 0, averaged over those patches.

        d[n,p]   = s(x[n]) − s(x[n] with 0 in patch p)
        a[n,i,j] = mean of d[n,p] over the patches p that contain (i, j)

    Patches are squares of all channels, `stride` pixels apart from the upper left corner on. The last of a row or
    column may extend beyond the image, so that every pixel is covered. 0 is the mean of normalised training images.

    x: (N, C, H, W). a: (N, H, W), positive where the patch spoke for the class. classes: (N,) integers. patch: pixels
    along each side, by default an eighth of the image's shorter side; stride: by default half a patch. Raises
    `InputError` unless 1 ≤ stride ≤ patch ≤ the image's shorter side.

    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (2014), section 4.2.
    """
    xp, (height, width) = array_module(x), x.shape[2:]
    shorter = min(height, width)
    patch = max(1, shorter // 8) if patch is None else patch
    stride = max(1, patch // 2) if stride is None else stride
    if not 1 <= stride <= patch <= shorter:
        raise InputError(
            f"occlusion: expected 1 <= stride <= patch <= {shorter} pixels, found stride {stride} and patch {patch}"
        )
    rows, columns = (_windows(size, patch, stride) for size in (height, width))
    before = scores(model.predict(x), classes)
    drops, patches = xp.zeros_like(x[:, 0]), xp.zeros((height, width), x.dtype)
    for group in in_groups(product(rows, columns), len(x)):
        copies = xp.concatenate([x] * len(group)).reshape(len(group), *x.shape)
        for copy, window in zip(copies, group, strict=True):
            copy[:, :, *window] = 0
        after = copy_scores(model.predict(copies.reshape(-1, *x.shape[1:])), classes)
        for score, window in zip(after, group, strict=True):
            drops[:, *window] += (before - score)[:, None, None]
            patches[window] += 1
    return drops / patches


def _windows(size: int, patch: int, stride: int) -> list[slice]:
    """The patches along an axis: the last is the first that reaches the end."""
    return [slice(start, start + patch) for start in range(0, size - patch + stride, stride)]
