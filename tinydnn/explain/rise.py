"""RISE: the mean of random masks, each weighted by the probability of the class behind it."""

from collections.abc import Iterator

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module
from tinydnn.errors import InputError
from tinydnn.explain.copies import copy_scores, in_groups
from tinydnn.explain.upsample import upsample
from tinydnn.layers import Sequential


def rise(
    model: Sequential,
    x: Array,
    classes: Array,
    *,
    masks: int = 1000,
    cells: int = 7,
    keep: float = 0.5,
    seed: int = 0,
) -> Array:
    """Pixels are relevant if the class is probable wherever they are visible.

        a[n,i,j] = 1/(keep · M) · Σ_m p(x[n] · μ[m]) · μ[m,i,j]

    p is the softmax probability of the class, μ[m] a mask from 0 (hidden: the mean of normalised training images) to 1:
    a grid of `cells` × `cells` zeros and ones, enlarged by bilinear interpolation to (cells + 1) cells, of which a part
    of the size of the image is cut out at random, shifted by less than a cell. The same masks serve every image, so an
    explanation does not depend on the other images of the batch. They are drawn on the CPU whatever the device, so that
    a seed gives the same masks everywhere.

    x: (N, C, H, W). a: (N, H, W), from 0. classes: (N,) integers. masks: M. keep: the probability of a one. Raises
    `InputError` for less than one mask or cell, or a `keep` that is not between 0 and 1.

    Source: Petsiuk, Das and Saenko, RISE: Randomized Input Sampling for Explanation of Black-box Models (2018),
    equation 6 and section 3.2.
    """
    if masks < 1 or cells < 1:
        raise InputError(f"rise: expected at least 1 mask and 1 cell, found {masks} and {cells}")
    if not 0 < keep < 1:
        raise InputError(f"rise: keep: expected a probability between 0 and 1, found {keep}")
    xp, total = array_module(x), array_module(x).zeros_like(x[:, 0])
    for group in in_groups(random_masks(x, masks, cells, keep, seed), len(x)):
        probabilities = ops.softmax(model.predict(xp.concatenate([x * mask for mask in group])))
        for p, mask in zip(copy_scores(probabilities, classes), group, strict=True):
            total += p[:, None, None] * mask
    return total / (keep * masks)


def random_masks(x: Array, masks: int, cells: int, keep: float, seed: int) -> Iterator[Array]:
    """The masks μ, one (H, W) after another, of the dtype and on the device of x: (N, C, H, W)."""
    rng = np.random.default_rng(seed)
    height, width = x.shape[2:]
    cell_height, cell_width = -(-height // cells), -(-width // cells)
    for _ in range(masks):
        grid = array_module(x).asarray((rng.random((1, cells, cells)) < keep).astype(x.dtype))
        top, left = int(rng.integers(cell_height)), int(rng.integers(cell_width))
        [enlarged] = upsample(grid, (cells + 1) * cell_height, (cells + 1) * cell_width)
        yield enlarged[top : top + height, left : left + width]
