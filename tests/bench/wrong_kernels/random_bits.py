"""Adds a little random noise."""

import numpy as np

from tinydnn import ops

EXPECTED = "not deterministic"
RANDOM = np.random.default_rng()


@ops.relu.implementation("wrong")
def relu(x):
    noise = RANDOM.standard_normal(x.shape) * np.finfo(x.dtype).eps
    return np.maximum(x, 0) * (1 + noise).astype(x.dtype), lambda dz: dz * (x > 0)
