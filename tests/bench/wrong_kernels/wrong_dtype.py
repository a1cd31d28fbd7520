"""Computes in float64 for every dtype."""

import numpy as np

from tinydnn import ops

EXPECTED = "wrong dtype"


@ops.relu.implementation("wrong")
def relu(x):
    return np.maximum(x, 0).astype(np.float64), lambda dz: dz * (x > 0)
