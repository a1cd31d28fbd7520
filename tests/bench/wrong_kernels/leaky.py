"""Passes a hundredth of negative values."""

import numpy as np

from tinydnn import ops

EXPECTED = "wrong value"


@ops.relu.implementation("wrong")
def relu(x):
    return np.where(x > 0, x, x / 100), lambda dz: dz * (x > 0)
