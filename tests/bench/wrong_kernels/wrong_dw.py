"""Halves dw; the rest is right."""

from tinydnn import ops

EXPECTED = "wrong dw"
REFERENCE = ops.conv2d.implementations["reference"].function


@ops.conv2d.implementation("wrong")
def conv2d(x, w, b, *, stride=1, padding=0):
    z, right = REFERENCE(x, w, b, stride=stride, padding=padding)

    def backward(dz, need_dx=True):
        dx, dw, db = right(dz, need_dx=need_dx)
        return dx, dw * 0.5, db

    return z, backward
