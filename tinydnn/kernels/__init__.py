"""Other implementations of the operations. Importing this package registers them."""

from tinydnn.kernels import cpu, cuda, numba

__all__ = ["cpu", "cuda", "numba"]
