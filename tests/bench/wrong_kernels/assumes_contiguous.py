"""Reads the memory of x from its first byte on and ignores the strides."""

import ctypes

import numpy as np

from tinydnn import ops

EXPECTED = "wrong strides"


@ops.relu.implementation("wrong")
def relu(x):
    """Reads x through a pointer, as C code would."""
    lowest = np.lib.array_utils.byte_bounds(x)[0]
    memory = (ctypes.c_char * x.nbytes).from_address(lowest)
    z = np.maximum(np.frombuffer(memory, x.dtype).reshape(x.shape), 0)
    return z, lambda dz: dz * (x > 0)
