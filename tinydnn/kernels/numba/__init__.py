"""Implementations that Numba compiles, where it is installed (the extra `numba`); it is imported at the first call."""

from importlib.util import find_spec

if find_spec("numba") is not None:
    from tinydnn.kernels.numba import (  # noqa: F401 - they register
        batchnorm2d,
        conv2d,
        conv2d_relu_maxpool2d,
        conv2d_winograd,
        maxpool2d,
        moments,
    )
