"""Training targets of a region network, from the tumour masks."""

import numpy as np

from tinydnn.backend import Array, array_module

# Shares of tumour pixels: a region above the first counts as tumour, one below the second as background.
TUMOUR, BACKGROUND = 0.25, 0.02
TUMOUR_WEIGHT = 5  # a tumour covers a thirtieth of a slice, so its few regions would have little influence


def region_targets(masks: Array, labels: Array, regions: tuple[int, int]) -> tuple[Array, Array]:
    """The class of each region and its weight in the loss.

    target[n,i,j] = label[n] + 1 where more than a quarter of the region's pixels are tumour, else 0. weight[n,i,j] = 5
    there, 1 where there is almost no tumour, 0 in between. `regions` (h, w) is the size of the region map. The side of
    a region is the largest power of two up to H/h, because each pooling halves the map.

    masks: (N, H, W) bool. labels: (N,), from 0. targets: (N, h, w) int64. weights: (N, h, w) float32.
    """
    xp = array_module(masks)
    (count, *size), (rows, columns) = masks.shape, regions
    height, width = (1 << (size[i] // regions[i]).bit_length() - 1 for i in (0, 1))
    pixels = masks[:, : rows * height, : columns * width].reshape(count, rows, height, columns, width)
    share = pixels.mean(axis=(2, 4), dtype=np.float32)
    tumour = share > TUMOUR
    targets = xp.where(tumour, labels[:, None, None] + 1, 0)
    weights = xp.where(tumour, TUMOUR_WEIGHT, xp.where(share > BACKGROUND, 0, 1)).astype(np.float32)
    return targets, weights
