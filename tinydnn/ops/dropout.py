"""Dropout: a random share of the elements is set to zero."""

from tinydnn.backend import Array
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(x: Array, keep: Array, *, rate: float) -> None:
    checks.floats("dropout", x=x)
    found = getattr(keep, "dtype", type(keep).__name__)
    if found != "bool":
        raise TypeError(f"dropout: keep: expected an array of bool, found {found}")
    checks.shape("dropout", "keep", keep, x.shape, "like x")
    if not 0 <= rate < 1:
        raise ValueError(f"dropout: rate: expected 0 <= rate < 1, found {rate}")


@operation(check=_check)
def dropout(x: Array, keep: Array, *, rate: float) -> tuple[Array, Backward]:
    """Set the elements outside the mask to zero, and scale the others so that the expectation is unchanged.

        z  = x  · keep / (1 − rate)
        dx = dz · keep / (1 − rate)

    An operation is a pure function, so the random mask is an argument: keep is True with probability 1 − rate.
    x, z: any shape. keep: bool, the shape of x. `backward(dz)` returns dx.

    Source: Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting (2014), section 4.
    """
    scale = keep.astype(x.dtype) / float(1 - rate)  # a NumPy scalar would turn float32 into float64

    def backward(dz: Array) -> Array:
        return dz * scale

    return x * scale, backward
