"""Accumulates the gradients of all calls of backward."""

import numpy as np

from tinydnn import ops

EXPECTED = "stateful backward"


@ops.relu.implementation("wrong")
def relu(x):
    total = np.zeros_like(x)

    def backward(dz):
        np.add(total, dz * (x > 0), out=total)
        return total.copy()

    return np.maximum(x, 0), backward
