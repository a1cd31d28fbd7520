"""Write a convolution in NumPy, check it, time it, and train with it.

    python examples/custom_kernel_numpy.py
    tinydnn bench conv2d --load examples/custom_kernel_numpy.py --train

The convolution is one `einsum` over a view of all windows. `forward` registers a function that returns the value only;
the reference computes the gradients.
"""

import numpy as np

from tinydnn import ops


@ops.conv2d.forward("einsum", supports=lambda arguments: arguments.stride == 1)
def conv2d(x, w, b, *, stride=1, padding=0):
    """The formula itself: z[n,o,i,j] = Σ w[o,c,u,v] · x[n,c,i+u,j+v] + b[o]."""
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], axis=(2, 3))  # (N, C, H', W', kh, kw)
    z = np.einsum("ocuv,ncijuv->noij", w, windows, optimize=True)
    return z if b is None else z + b[:, None, None]


if __name__ == "__main__":
    from tinydnn.bench.checking import check
    from tinydnn.bench.comparison import compare
    from tinydnn.bench.peaks import peaks
    from tinydnn.bench.trial import trial

    outcome = check("conv2d", "einsum")
    print(f"correct on {outcome.cases} cases" if outcome.passed else outcome.findings)
    small = ((2, 16, 32, 32), (32, 16, 3, 3))
    for line in compare("conv2d", ["einsum", "im2col"], "im2col", peaks(), shapes=small, seconds=0.3).lines:
        print(f"{line.direction:8}  {line.label:27}  {1e3 * line.sample.median:7.3f} ms  {line.verdict}")
    print(f"losses of training apart by {trial('conv2d', 'einsum', steps=3).difference:.0e}")
