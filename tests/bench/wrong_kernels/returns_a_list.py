"""Returns a list of numbers."""

import numpy as np

from tinydnn import ops

EXPECTED = "not an array"


@ops.relu.implementation("wrong")
def relu(x):
    return np.maximum(x, 0).tolist(), lambda dz: dz * (x > 0)
