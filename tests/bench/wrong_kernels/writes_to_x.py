"""Writes to x."""

from tinydnn import ops

EXPECTED = "writes to its inputs"


@ops.relu.implementation("wrong")
def relu(x):
    positive = x > 0
    x *= positive
    return x.copy(), lambda dz: dz * positive
