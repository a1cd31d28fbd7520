"""Flattens the value."""

import numpy as np

from tinydnn import ops

EXPECTED = "wrong shape"


@ops.relu.implementation("wrong")
def relu(x):
    return np.maximum(x, 0).ravel(), lambda dz: dz.reshape(x.shape) * (x > 0)
