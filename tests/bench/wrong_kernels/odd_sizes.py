"""Wrong for images of odd width only."""

from tinydnn import ops

EXPECTED = "wrong value"
REFERENCE = ops.conv2d.implementations["reference"].function


@ops.conv2d.implementation("wrong")
def conv2d(x, w, b, *, stride=1, padding=0):
    z, backward = REFERENCE(x, w, b, stride=stride, padding=padding)
    return (z if x.shape[3] % 2 == 0 else z[..., ::-1].copy()), backward
