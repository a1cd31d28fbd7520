"""Masks the upstream gradient in place."""

import numpy as np

from tinydnn import ops

EXPECTED = "writes to its inputs"


@ops.relu.implementation("wrong")
def relu(x):
    def backward(dz):
        dz *= x > 0
        return dz.copy()

    return np.maximum(x, 0), backward
