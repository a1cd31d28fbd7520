"""Returns the same memory in every call."""

import numpy as np

from tinydnn import ops

EXPECTED = "overwritten results"
BUFFERS = {}


@ops.relu.implementation("wrong")
def relu(x):
    z = BUFFERS.setdefault((x.shape, x.dtype), np.empty(x.shape, x.dtype))
    np.maximum(x, 0, out=z)
    positive = x > 0
    return z, lambda dz: dz * positive
