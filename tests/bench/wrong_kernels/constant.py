"""Always returns zeros."""

import numpy as np

from tinydnn import ops

EXPECTED = "constant value"


@ops.relu.implementation("wrong")
def relu(x):
    return np.zeros_like(x), lambda dz: dz * (x > 0)
