"""Computes dx without flipping the kernel; the rest is right."""

from tinydnn import ops

EXPECTED = "wrong dx"
REFERENCE = ops.conv2d.implementations["reference"].function


@ops.conv2d.implementation("wrong")
def conv2d(x, w, b, *, stride=1, padding=0):
    z, right = REFERENCE(x, w, b, stride=stride, padding=padding)

    def backward(dz, need_dx=True):
        _, dw, db = right(dz, need_dx=False)
        return (right(dz[:, :, ::-1, ::-1])[0] if need_dx else None), dw, db

    return z, backward
