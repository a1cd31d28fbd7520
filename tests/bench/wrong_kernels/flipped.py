"""Flips the kernel, as convolution is defined in mathematics."""

from tinydnn import ops

EXPECTED = "wrong value"
REFERENCE = ops.conv2d.implementations["reference"].function


@ops.conv2d.implementation("wrong")
def conv2d(x, w, b, *, stride=1, padding=0):
    return REFERENCE(x, w[:, :, ::-1, ::-1], b, stride=stride, padding=padding)[0], REFERENCE(
        x, w, b, stride=stride, padding=padding
    )[1]
