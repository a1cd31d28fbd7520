"""Works in place on x and then puts it back, and returns x itself where nothing was cut off."""

import numpy as np

from tinydnn import ops

EXPECTED = "shares memory"


@ops.maxpool2d.implementation("wrong", supports=lambda call: call.window == 1)
def maxpool2d(x, *, window=2, stride=None):
    """Pooling over single pixels changes nothing, so it gives x back."""
    return x, np.copy
