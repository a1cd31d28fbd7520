"""Computes in float32 for every dtype."""

import numpy as np

from tinydnn import ops

EXPECTED = "low precision"


@ops.relu.implementation("wrong")
def relu(x):
    return np.maximum(x.astype(np.float32), 0).astype(x.dtype), lambda dz: dz * (x > 0)
