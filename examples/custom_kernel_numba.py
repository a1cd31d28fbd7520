"""A ReLU of your own, compiled by Numba: checked, timed, and trained with.

    python examples/custom_kernel_numba.py
    tinydnn bench relu --load examples/custom_kernel_numba.py --train

NumPy writes a mask and reads it again; the loop below computes value and mask in one pass over memory.
"""

import sys

import numpy as np

from tinydnn import ops

try:
    from numba import njit, prange
except ImportError:
    print("This example needs Numba: install tinydnn[numba].")
    sys.exit(0)


@njit(parallel=True)
def value_and_mask(x, z, positive):
    for k in prange(x.size):
        positive[k] = x[k] > 0
        z[k] = x[k] if positive[k] else 0


@ops.relu.implementation("one pass")
def relu(x):
    """The formulas of `ops.relu`: z = max(0, x); dx = dz where x > 0, else 0."""
    z, positive = np.empty(x.shape, x.dtype), np.empty(x.shape, np.bool_)
    value_and_mask(np.ravel(x), z.reshape(-1), positive.reshape(-1))
    return z, lambda dz: dz * positive


if __name__ == "__main__":
    from tinydnn.bench.checking import check
    from tinydnn.bench.comparison import compare
    from tinydnn.bench.peaks import peaks
    from tinydnn.bench.trial import trial

    outcome = check("relu", "one pass")
    print(f"correct on {outcome.cases} cases" if outcome.passed else outcome.findings)
    for line in compare("relu", ["one pass", "reference"], "reference", peaks(), seconds=0.3).lines:
        print(f"{line.direction:8}  {line.label:10}  {1e3 * line.sample.median:7.3f} ms  {line.verdict}")
    print(f"losses of training apart by {trial('relu', 'one pass', steps=3).difference:.0e}")
