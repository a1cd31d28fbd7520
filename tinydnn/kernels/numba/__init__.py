"""Implementations compiled by Numba (the extra `numba`). Numba itself is imported at the first call of a kernel.

One file per operation, and the drivers they share: `direct` and `winograd` convolution. Below, `loops` holds the
compiled loops over images, bands and tiles, `simd` the vector code in their innermost iterations.
"""

from importlib.util import find_spec

if find_spec("numba") is not None:
    from tinydnn.kernels.numba import (  # noqa: F401 - they register
        batchnorm2d,
        conv2d,
        conv2d_relu,
        conv2d_relu_maxpool2d,
        maxpool2d,
        moments,
    )
