"""The fully connected layer with TF32 products on a GPU. In float32 the reference runs there, on cuBLAS."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module
from tinydnn.ops.implementation import Backward


@ops.linear.implementation(
    "tf32", device="cuda", priority=30, supports=lambda call: call.x.dtype == np.float32, precision="tf32"
)
def linear(x: Array, w: Array, b: Array) -> tuple[Array, Backward]:
    """The reference with TF32 allowed in cuBLAS. On tensor cores, memory bounds these products, not arithmetic."""
    with tf32_products(x):
        z = x @ w.T
    z += b

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array]:
        with tf32_products(x):
            return dz @ w if need_dx else None, dz.T @ x, dz.sum(axis=0)

    return z, backward


@contextmanager
def tf32_products(x: Array) -> Iterator[None]:
    """Let CuPy's float32 matrix products use TF32 within the block. No effect on an emulated GPU."""
    if array_module(x) is np:
        yield
        return
    from cupy._core import _routines_linalg as products

    before = products.get_compute_type(np.float32)
    products.set_compute_type(np.float32, products.COMPUTE_TYPE_TF32)
    try:
        yield
    finally:
        products.set_compute_type(np.float32, before)
