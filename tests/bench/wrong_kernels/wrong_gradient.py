"""Returns the gradient of the identity."""

import numpy as np

from tinydnn import ops

EXPECTED = "wrong dx"


@ops.relu.implementation("wrong")
def relu(x):
    return np.maximum(x, 0), lambda dz: dz.copy()
