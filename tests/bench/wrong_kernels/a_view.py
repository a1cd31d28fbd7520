"""Returns x itself as the value."""

import numpy as np

from tinydnn import ops

EXPECTED = "shares memory"


@ops.maxpool2d.implementation("wrong", supports=lambda call: call.window == 1)
def maxpool2d(x, *, window=2, stride=None):
    """Pooling over single pixels changes nothing, so the value is x."""
    return x, np.copy
