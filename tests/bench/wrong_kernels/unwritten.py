"""Writes only positive values and relies on fresh memory being zero."""

import numpy as np

from tinydnn import ops

EXPECTED = "unwritten elements"


@ops.relu.implementation("wrong")
def relu(x):
    """Works often, because memory fresh from the system is zero."""
    z = np.empty(x.shape, x.dtype)
    fresh = np.isnan(z).sum() == 0  # stands in for fresh memory: without a NaN the rest is set to zero
    np.copyto(z, 0, where=fresh)
    np.copyto(z, x, where=x > 0)
    return z, lambda dz: dz * (x > 0)
