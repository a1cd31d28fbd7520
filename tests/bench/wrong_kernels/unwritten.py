"""Writes what is positive and hopes that the rest of fresh memory is zero."""

import numpy as np

from tinydnn import ops

EXPECTED = "unwritten elements"


@ops.relu.implementation("wrong")
def relu(x):
    """As memory that is fresh from the system is zero, it often works."""
    z = np.empty(x.shape, x.dtype)
    fresh = np.isnan(z).sum() == 0  # stands for luck: without a NaN the rest is zero
    np.copyto(z, 0, where=fresh)
    np.copyto(z, x, where=x > 0)
    return z, lambda dz: dz * (x > 0)
