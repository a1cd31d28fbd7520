"""Your own ReLU in CUDA, forward and backward: checked, and on a GPU timed and used in training.

    python examples/custom_kernel_cuda.py
    tinydnn bench relu --load examples/custom_kernel_cuda.py --device cuda --train
    tinydnn bench relu --load examples/custom_kernel_cuda.py --device emulated

The last command needs no GPU: it runs the same source on the CPU and reports what a GPU would run wrongly.
"""

import numpy as np

from tinydnn import ops
from tinydnn.backend import array_module, check_device
from tinydnn.errors import InputError
from tinydnn.kernels.cuda import RawKernel

SOURCE = """
extern "C" __global__ void forward(const float* x, float* z, long long n) {
    long long k = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (k < n) z[k] = x[k] > 0 ? x[k] : 0;
}
extern "C" __global__ void backward(const float* x, const float* dz, float* dx, long long n) {
    long long k = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (k < n) dx[k] = x[k] > 0 ? dz[k] : 0;
}
"""
FORWARD, BACKWARD = RawKernel(SOURCE, "forward"), RawKernel(SOURCE, "backward")


@ops.relu.implementation("my cuda", device="cuda", supports=lambda arguments: arguments.x.dtype == np.float32)
def relu(x):
    """As `ops.relu`: z = max(0, x); dx = dz where x > 0, else 0."""
    xp = array_module(x)
    x = xp.ascontiguousarray(x)
    z, grid = xp.empty(x.shape, x.dtype), (-(-x.size // 256),)
    FORWARD(grid, (256,), (x, z, np.int64(x.size)))

    def backward(dz):
        dx = xp.empty(x.shape, x.dtype)
        BACKWARD(grid, (256,), (x, xp.ascontiguousarray(dz), dx, np.int64(x.size)))
        return dx

    return z, backward


if __name__ == "__main__":
    from tinydnn.cli.bench import bench
    from tinydnn.cli.check import EMULATED

    try:
        device = check_device("cuda")
    except InputError as error:
        print(f"{error}; on an emulated GPU:")
        device = EMULATED
    bench("relu", only="my cuda,reference", device=device, train=device != EMULATED)
