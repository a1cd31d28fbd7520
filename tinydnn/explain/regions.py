"""The votes of a region network: an explanation that the network gives by itself."""

from tinydnn import ops
from tinydnn.backend import Array, array_module
from tinydnn.errors import InputError
from tinydnn.explain.upsample import upsample
from tinydnn.layers import Sequential
from tinydnn.training.loss import has_region_head


def regions(model: Sequential, x: Array, classes: Array) -> Array:
    """The probability of the class in each region.

        p[n,c,i,j] = exp(m[n,c,i,j]) / Σ_d exp(m[n,d,i,j])          m: the region map, c = 0 is background
        a[n,i,j]   = p[n, classes[n] + 1, i, j]                     then upsampled to the size of x

    Nothing is approximated: the logits of the image are the logarithms of the sums of these votes (`ops.region_vote`).

    x: (N, C, H, W). a: (N, H, W), from 0 to 1. classes: (N,) integers. Raises `InputError` unless the last layer is a
    `RegionVote`.

    Source: Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation (2015), section 3.
    """
    if not has_region_head(model):
        last = type(model.layers[-1]).__name__
        raise InputError(f"regions: expected a region network, whose last layer is RegionVote, found {last}")
    before_votes, _ = model.split_at(len(model.layers) - 1)
    p = ops.softmax(before_votes.predict(x))
    return upsample(p[array_module(p).arange(len(p)), classes + 1], *x.shape[2:])
