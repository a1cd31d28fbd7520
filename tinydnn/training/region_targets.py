"""What each region of a slice shows, from the mask of its tumour."""

import numpy as np

from tinydnn.backend import Array, array_module

TUMOUR, UNCLEAR = 0.25, 0.02  # shares of a region's pixels: above the first it is tumour, below the second background
TUMOUR_WEIGHT = 5  # a tumour fills a thirtieth of a slice, so few regions would count for little


def region_targets(masks: Array, labels: Array, regions: tuple[int, int]) -> tuple[Array, Array]:
    """The class that each region shows, and how much it counts.

    A slice is cut into `regions` (h, w) of as many pixels as poolings have made one of, the largest power of two up to
    H/h. target[n,i,j] = label[n] + 1 where more than a quarter
    of the pixels are tumour, else 0. weight[n,i,j] = 5 there, 1 where there is no tumour, 0 between.

    masks: (N, H, W) bool. labels: (N,), from 0. targets: (N, h, w) int64. weights: (N, h, w) float32.
    """
    xp = array_module(masks)
    (count, *size), (rows, columns) = masks.shape, regions
    high, wide = (1 << (size[i] // regions[i]).bit_length() - 1 for i in (0, 1))  # poolings halve: a power of two
    cut = masks[:, : rows * high, : columns * wide].reshape(count, rows, high, columns, wide)
    share = cut.mean(axis=(2, 4), dtype=np.float32)
    tumour = share > TUMOUR
    targets = xp.where(tumour, labels[:, None, None] + 1, 0)
    weights = xp.where(tumour, TUMOUR_WEIGHT, xp.where(share > UNCLEAR, 0, 1)).astype(np.float32)
    return targets, weights
