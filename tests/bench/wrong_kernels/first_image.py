"""Computes the first image of a batch and repeats its value for the others."""

from tinydnn import ops

EXPECTED = "wrong value"
REFERENCE = ops.conv2d.implementations["reference"].function


@ops.conv2d.implementation("wrong")
def conv2d(x, w, b, *, stride=1, padding=0):
    z, backward = REFERENCE(x, w, b, stride=stride, padding=padding)
    z[1:] = z[:1]
    return z, backward
