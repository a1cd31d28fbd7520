"""Divides by zero."""

from tinydnn import ops

EXPECTED = "raises"


@ops.relu.implementation("wrong")
def relu(x):
    return x / len([]), lambda dz: dz
