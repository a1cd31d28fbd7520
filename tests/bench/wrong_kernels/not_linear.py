"""Clips the upstream gradient."""

import numpy as np

from tinydnn import ops

EXPECTED = "wrong dx"


@ops.relu.implementation("wrong")
def relu(x):
    return np.maximum(x, 0), lambda dz: np.clip(dz, -1, 1) * (x > 0)
